"""Small worlds for the rules: the shop as its manifests say, healthy, and what a test does to it."""

import copy
import datetime as dt
import functools
import json
from pathlib import Path
from typing import Any

import yaml

from reprise.agents.triage.calls import Failures
from reprise.agents.triage.world import World

ROOT = Path(__file__).parents[3]
NAMESPACE = "otel-demo"
BEFORE = "2026-11-21T11:00:00Z"
WINDOW = dt.datetime(2026, 11, 21, 11, 30, tzinfo=dt.UTC)
DURING = "2026-11-21T11:40:00Z"
Json = dict[str, Any]


@functools.cache
def _manifests() -> list[Json]:
    return [
        document
        for path in sorted((ROOT / "manifests/otel-demo").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document and document.get("kind") in ("Deployment", "StatefulSet", "Service")
    ]


def shop() -> "Shop":
    """The application of `manifests/otel-demo`, all pods running and ready since before the window."""
    made = Shop()
    for document in copy.deepcopy(_manifests()):
        document.setdefault("metadata", {})["namespace"] = NAMESPACE
        made.add(document)
    flags = (ROOT / "manifests/otel-demo/config/demo.flagd.json").read_text()
    made.config_maps.append({"metadata": {"name": "flagd-config"}, "data": {"demo.flagd.json": flags}})
    return made


class Shop:
    """Builds a World; each method changes it the way Kubernetes would have."""

    def __init__(self) -> None:
        self.deployments: list[Json] = []
        self.stateful_sets: list[Json] = []
        self.replica_sets: list[Json] = []
        self.pods: list[Json] = []
        self.services: list[Json] = []
        self.network_policies: list[Json] = []
        self.quotas: list[Json] = []
        self.limit_ranges: list[Json] = []
        self.autoscalers: list[Json] = []
        self.disruption_budgets: list[Json] = []
        self.system_config_maps: list[Json] = [
            {"metadata": {"name": "coredns"}, "data": {"Corefile": ".:53 {\n    forward . 192.0.2.1\n}\n"}}
        ]
        self.config_maps: list[Json] = []
        self.claims: list[Json] = []
        self.events: list[Json] = []
        self.alerts: list[Json] = []
        self.failures = Failures()
        self.nodes: list[Json] = [
            {"metadata": {"name": "worker"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        ]

    def add(self, document: Json) -> None:
        if document["kind"] == "Service":
            self.services.append(document)
            return
        name = document["metadata"]["name"]
        document["metadata"]["uid"] = f"uid-{name}"
        replicas = document["spec"].get("replicas", 1)
        document["status"] = {"replicas": replicas, "availableReplicas": replicas}
        if document["kind"] == "StatefulSet":
            self.stateful_sets.append(document)
        else:
            self.deployments.append(document)
            self.revision(document, 1, BEFORE)

    def revision(self, deployment: Json, number: int, born: str) -> Json:
        """A ReplicaSet with one ready pod; the pods of earlier ones go."""
        name = deployment["metadata"]["name"]
        replica_set: Json = {
            "metadata": {
                "name": f"{name}-{number}",
                "uid": f"uid-{name}-{number}",
                "creationTimestamp": born,
                "annotations": {"deployment.kubernetes.io/revision": str(number)},
                "ownerReferences": [{"kind": "Deployment", "name": name, "uid": f"uid-{name}"}],
            },
            "spec": {"replicas": 1, "template": copy.deepcopy(deployment["spec"]["template"])},
            "status": {"replicas": 1},
        }
        for older in self.replica_sets:
            if older["metadata"]["ownerReferences"][0]["name"] == name:
                older["spec"]["replicas"] = older["status"]["replicas"] = 0
        self.pods = [
            pod for pod in self.pods if not pod["metadata"]["name"].startswith(f"{name}-{number - 1}-")
        ]
        self.replica_sets.append(replica_set)
        self.pods.append(
            {
                "metadata": {
                    "name": f"{name}-{number}-x",
                    "labels": deployment["spec"]["template"]["metadata"]["labels"],
                    "creationTimestamp": born,
                    "ownerReferences": [
                        {"kind": "ReplicaSet", "name": f"{name}-{number}", "uid": f"uid-{name}-{number}"}
                    ],
                },
                "spec": {"nodeName": "worker"},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [
                        {
                            "name": name,
                            "ready": True,
                            "restartCount": 0,
                            "state": {"running": {"startedAt": born}},
                        }
                    ],
                },
            }
        )
        return replica_set

    def deployment(self, name: str) -> Json:
        return next(d for d in self.deployments if d["metadata"]["name"] == name)

    def service(self, name: str) -> Json:
        return next(s for s in self.services if s["metadata"]["name"] == name)

    def pod(self, name: str) -> Json:
        return next(p for p in self.pods if p["metadata"]["name"].startswith(f"{name}-"))

    def without_pods(self, name: str) -> None:
        self.pods = [p for p in self.pods if not p["metadata"]["name"].startswith(f"{name}-")]
        self.deployment(name)["status"] = {}

    def container(self, name: str) -> Json:
        found: Json = self.deployment(name)["spec"]["template"]["spec"]["containers"][0]
        return found

    def add_env(self, workload: str, variable: str, value: str) -> None:
        """One more variable, rolled out in the window."""
        self.container(workload).setdefault("env", []).append({"name": variable, "value": value})
        self.revision(self.deployment(workload), 2, DURING)

    def set_env(self, workload: str, variable: str, value: str) -> None:
        """Change a variable and roll it out."""
        env = next(e for e in self.container(workload)["env"] if e["name"] == variable)
        env["value"] = value
        self.revision(self.deployment(workload), 2, DURING)

    def waiting(self, workload: str, reason: str, message: str = "") -> None:
        state = self.pod(workload)["status"]["containerStatuses"][0]
        state.update(ready=False, state={"waiting": {"reason": reason, "message": message}})
        self.deployment(workload)["status"] = {"replicas": 1}

    def set_flag(self, flag: str, variant: str) -> None:
        data = self.config_maps[0]["data"]
        document = json.loads(data["demo.flagd.json"])
        document["flags"][flag]["defaultVariant"] = variant
        data["demo.flagd.json"] = json.dumps(document)

    def refused(self, workload: str, message: str) -> None:
        """The workload's newest ReplicaSet cannot make its pod."""
        self.without_pods(workload)
        of_it = [rs for rs in self.replica_sets if rs["metadata"]["name"].startswith(f"{workload}-")]
        of_it[-1]["status"] = {
            "replicas": 0,
            "conditions": [{"type": "ReplicaFailure", "status": "True", "message": message}],
        }

    def unschedulable(self, workload: str, message: str) -> None:
        self.pod(workload)["status"] = {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            ],
        }

    def arrives(self, name: str, labels: Json | None = None, **pod: Any) -> None:
        """A Deployment that was not there before the window."""
        template = {"metadata": {"labels": labels or {"app": name}}, "spec": {"containers": [{"name": name}]}}
        spec = {"replicas": 1, "template": template}
        meta = {"name": name, "creationTimestamp": DURING}
        self.add({"kind": "Deployment", "metadata": meta, "spec": spec})
        self.deployment(name)["metadata"]["creationTimestamp"] = DURING
        mine = self.pod(name)
        mine["metadata"].update(uid=f"uid-{name}-pod", creationTimestamp=DURING)
        mine["spec"].update(pod)

    def replaced(self, workload: str) -> Json:
        """Its pod is made anew with the same template."""
        pod = self.pod(workload)
        pod["metadata"]["creationTimestamp"] = DURING
        self.deployment(workload)["status"]["conditions"] = [
            {"type": "Progressing", "status": "True", "lastUpdateTime": BEFORE}
        ]
        return pod

    def firing(self, alert: str, **labels: str) -> None:
        self.alerts.append({"state": "firing", "labels": {"alertname": alert, **labels}})

    def pending(self, alert: str, **labels: str) -> None:
        self.alerts.append({"state": "pending", "labels": {"alertname": alert, **labels}})

    def world(self, **more: Any) -> World:
        return World(
            namespace=NAMESPACE,
            window_start=WINDOW,
            namespaces=[
                {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}
                for name in (NAMESPACE, "edge")
            ],
            **{**vars(self), **more},
        )
