"""The cluster's DNS: a name of the application that is treated unlike all others."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World

_KEY = "Corefile"


def treated_apart(world: World) -> Iterator[Hypothesis]:
    """A Corefile that names a Service of the application: all of them are answered by one rule as a whole."""
    for config in world.system_config_maps:
        corefile = str((config.get("data") or {}).get(_KEY, ""))
        named = [
            line.strip()
            for line in corefile.splitlines()
            if any(f"{name}.{world.namespace}." in line for name in world.service_names())
        ]
        if named:
            yield Hypothesis(
                f"kube-system/ConfigMap/{config['metadata']['name']}",
                "name-treated-apart",
                0.93,
                f"{_KEY}: {'; '.join(named)}"[:300],
                frozenset(name for name in world.service_names() if any(f"{name}." in one for one in named)),
            )
