"""Scenarios that people bring to a cluster: a ConfigMap each beside the operator, where no agent can look."""

from collections.abc import Mapping
from pathlib import Path

from reprise.adapters import scenario_files
from reprise.adapters.kube import Json, Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.scenario import Scenario

LABEL = "reprise.dev/scenario"
KEY = "scenario.yaml"
_PREFIX = "scenario-"


class ScenarioStore:
    """The scenarios that come with the product, and those stored in the cluster; the shipped ones first."""

    def __init__(
        self, kube: Kube, shipped: Mapping[str, Scenario], namespace: str = "reprise-system"
    ) -> None:
        self._kube = kube
        self._shipped = shipped
        self._namespace = namespace

    def _ref(self, name: str) -> ObjectRef:
        return ObjectRef("v1", "ConfigMap", self._namespace, f"{_PREFIX}{name}")

    async def get(self, name: str) -> Scenario | None:
        """The scenario, or None. Raises InvalidInput when the stored text is none (any more)."""
        if name in self._shipped:
            return self._shipped[name]
        found = await self._kube.get(self._ref(name))
        text = ((found or {}).get("data") or {}).get(KEY)
        return None if text is None else scenario_files.parse(text, Path(f"{name}.yaml"))

    async def names(self) -> tuple[str, ...]:
        """Every name that `get` knows, sorted."""
        stored = await self._kube.list_objects("v1", "ConfigMap", self._namespace, label_selector=LABEL)
        names = {item["metadata"]["name"].removeprefix(_PREFIX) for item in stored}
        return tuple(sorted({*self._shipped, *names}))

    async def save(self, text: str, place: Path) -> Scenario:
        """Store a scenario, in place of an older one of its name.

        Raises InvalidInput with every problem, Conflict when its name is one of the product's own.
        """
        made = scenario_files.parse(text, place)
        if made.name in self._shipped:
            if self._shipped[made.name] == made:
                return made
            raise errors.Conflict(
                f"{place}: expected a name that the product has not, found {made.name!r}; rename the file"
            )
        ref = self._ref(made.name)
        manifest: Json = {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": {LABEL: made.name}},
            "data": {KEY: text},
        }
        await self._kube.apply(manifest, "reprise")
        return made

    async def delete(self, name: str) -> bool:
        """Forget a stored scenario; False when there was none."""
        return await self._kube.delete(self._ref(name))
