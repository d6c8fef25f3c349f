"""An agent in ten lines: whatever is not ready is to blame. See docs/agents.md for its environment."""

from reprise.agents.http_door import HttpDoor
from reprise.agents.journal import Journal
from reprise.agents.protocol import Door, Hypothesis


class NotReady:
    def investigate(self, door: Door) -> list[Hypothesis]:
        found = []
        for item in door.list_objects("apps/v1", "deployments", str(door.attempt()["namespace"])):
            meta, status = item["metadata"], item.get("status", {})
            if status.get("readyReplicas", 0) < item["spec"].get("replicas", 1):
                name = f"{meta['namespace']}/Deployment/{meta['name']}"
                found.append(Hypothesis(name, "not-ready", 0.5, "fewer replicas are ready than wanted"))
        return found


if __name__ == "__main__":
    door = HttpDoor.from_environment(Journal())
    print(door.submit([one.entity for one in NotReady().investigate(door)]))
