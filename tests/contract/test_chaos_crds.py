"""What mechanisms of Chaos Mesh plan, against the CRDs of the very release that `reprise up` installs."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.faults import cases_chaos
from tests.unit.faults.test_chaos import inject

from reprise.cluster import chaos_mesh, gobuild
from reprise.cluster.tools import Tools
from reprise.domain import errors
from reprise.domain.mutation import Create
from reprise.domain.scenario import Fault

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "string": str,
}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Json]:
    """Kind → schema. Where the pinned module cannot be had (no Go, no network), nothing is held to it."""
    tools = Tools(tmp_path_factory.mktemp("logs"))
    try:
        module = gobuild.GoModule(ROOT / "images/go" / chaos_mesh.MODULE, gobuild.find_toolchain(tools))
        folder = module.source("github.com/chaos-mesh/chaos-mesh", tools) / "helm/chaos-mesh/crds"
    except errors.RepriseError as exc:
        pytest.skip(f"the pinned Chaos Mesh cannot be had here: {exc}")
    kinds = ("podchaos", "networkchaos", "stresschaos", "httpchaos", "dnschaos", "iochaos", "jvmchaos")
    found: dict[str, Json] = {}
    for kind in (*kinds, "timechaos", "schedules"):
        [crd] = chaos_mesh.parse((folder / f"chaos-mesh.org_{kind}.yaml").read_text())
        assert isinstance(crd, dict)
        [version] = crd["spec"]["versions"]
        found[crd["spec"]["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    return found


def problems(value: Any, schema: Json, place: str = "") -> list[str]:
    """What a structural schema has against the value; a field that it does not know counts."""
    wanted = _TYPES.get(schema.get("type", ""))
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)):
        return [f"{place}: expected {schema['type']}, found {value!r}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: expected one of {schema['enum']}, found {value!r}")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{place}: {value} is out of range")
    if isinstance(value, dict):
        known, more = schema.get("properties"), schema.get("additionalProperties")
        found += [f"{place}.{name}: missing" for name in schema.get("required", ()) if name not in value]
        for name, entry in value.items():
            if known is not None and name in known:
                found += problems(entry, known[name], f"{place}.{name}")
            elif isinstance(more, dict):
                found += problems(entry, more, f"{place}.{name}")
            elif known is not None and not schema.get("x-kubernetes-preserve-unknown-fields"):
                found.append(f"{place}.{name}: unknown")
    if isinstance(value, list):
        for index, entry in enumerate(value):
            found += problems(entry, schema.get("items", {}), f"{place}[{index}]")
    return found


@functools.cache
def planned(name: str, repeated: bool) -> Json:
    fault = cases_chaos.FAULTS[name]
    timing: Json = {"schedule": "@every 30s"} if repeated else {}
    if repeated and not name.endswith("-kill"):
        timing["duration"] = "20s"
    [mutation] = inject(Fault(name, fault.kind, fault.name, {**fault.params, **timing})).mutations
    assert isinstance(mutation, Create)
    return mutation.manifest


@pytest.mark.parametrize("repeated", [False, True], ids=["once", "by schedule"])
@pytest.mark.parametrize("name", sorted(cases_chaos.FAULTS))
def test_planned_objects_are_valid(schemas: Mapping[str, Json], name: str, repeated: bool) -> None:
    manifest = planned(name, repeated)
    assert problems(manifest, {**schemas[manifest["kind"]], "required": ["spec"]}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action": "pod-hurt"}, "expected one of"),
        ({"mode": 1}, "expected string"),
        ({"victims": []}, "unknown"),
    ],
)
def test_the_judge_can_say_no(schemas: Mapping[str, Json], change: Json, words: str) -> None:
    manifest = planned("pod-chaos-pod-failure", False)
    wrong = {**manifest, "spec": {**manifest["spec"], **change}}
    found = problems(wrong, {**schemas["PodChaos"], "required": ["spec"]})
    assert len(found) == 1
    assert words in found[0]
