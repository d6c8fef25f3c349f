"""The CRDs and the Python types say the same, both ways."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.json_schema import models_json_schema

from reprise.adapters.wire import agent_attempt, benchmark_run
from reprise.adapters.wire.model import Model
from reprise.domain import run as runs
from reprise.domain.budget import Phase as AttemptPhase
from reprise.domain.run_status import ConditionType, Phase

CRDS = Path(__file__).parents[2] / "crds"
PAIRS = {
    "BenchmarkRun spec": ("benchmarkruns", "spec", benchmark_run.Spec),
    "BenchmarkRun status": ("benchmarkruns", "status", benchmark_run.Status),
    "AgentAttempt spec": ("agentattempts", "spec", agent_attempt.Spec),
    "AgentAttempt status": ("agentattempts", "status", agent_attempt.Status),
}
# JSON schema words that mean the same in both; what is compared field by field.
COMPARED = ("type", "format", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "maxItems")


def crd(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CRDS / f"{name}.yaml").read_text())
    return loaded


def schema(name: str, part: str) -> dict[str, Any]:
    (version,) = crd(name)["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][part]
    return found


def from_types(kind: type[Model]) -> dict[str, Any]:
    """The JSON schema of a pydantic type with its references resolved and optional fields unwrapped."""
    _, top = models_json_schema([(kind, "validation")], by_alias=True)
    definitions = top["$defs"]

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return {**resolve(definitions[node["$ref"].rsplit("/", 1)[1]]), **rest}
        if "anyOf" in node:
            (kept,) = [item for item in node["anyOf"] if item.get("type") != "null"]
            return resolve({**kept, **{k: v for k, v in node.items() if k not in ("anyOf", "default")}})
        return {key: resolve(value) for key, value in node.items()}

    resolved: dict[str, Any] = resolve(definitions[kind.__name__])
    return resolved


def leaves(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every node of a schema by its path."""
    yield path, node
    for name, child in (node.get("properties") or {}).items():
        yield from leaves(child, f"{path}.{name}")
    if isinstance(node.get("items"), dict):
        yield from leaves(node["items"], f"{path}[]")


def normal(node: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: node[key] for key in COMPARED if key in node}
    # Widths and the like say how a number is stored; pydantic has no word for them.
    if found.get("format") in ("int32", "int64", "double"):
        del found["format"]
    if "const" in node:
        found["enum"] = [node["const"]]
    if "enum" in found:
        found["enum"] = sorted(found["enum"])
    return found


@pytest.mark.parametrize("case", PAIRS)
def test_fields_are_the_same(case: str) -> None:
    name, part, kind = PAIRS[case]
    ours, theirs = dict(leaves(schema(name, part))), dict(leaves(from_types(kind)))
    assert sorted(ours) == sorted(theirs)
    differences = {
        path: (normal(ours[path]), normal(theirs[path]))
        for path in ours
        if normal(ours[path]) != normal(theirs[path])
    }
    assert differences == {}


@pytest.mark.parametrize("case", PAIRS)
def test_required_fields_are_the_same(case: str) -> None:
    name, part, kind = PAIRS[case]
    ours, theirs = dict(leaves(schema(name, part))), dict(leaves(from_types(kind)))
    assert {p: sorted(n.get("required", [])) for p, n in ours.items()} == {
        p: sorted(n.get("required", [])) for p, n in theirs.items()
    }


@pytest.mark.parametrize("case", ["BenchmarkRun spec", "AgentAttempt spec"])
def test_defaults_are_the_same(case: str) -> None:
    name, part, kind = PAIRS[case]
    ours = {p: n["default"] for p, n in leaves(schema(name, part)) if "default" in n and n["default"] != {}}
    theirs = {
        p: n["default"]
        for p, n in leaves(from_types(kind))
        if "default" in n and not isinstance(n["default"], dict) and n["default"] is not None
    }
    assert ours == theirs


def test_defaults_of_the_domain_are_the_same() -> None:
    wire = benchmark_run.spec_from_wire(benchmark_run.Spec(scenario="x"))
    assert wire == runs.RunSpec(scenario="x")


def test_every_object_with_defaults_inside_has_one_itself() -> None:
    """The API server fills in defaults only below what is there."""
    missing = [
        path
        for path, node in leaves(schema("benchmarkruns", "spec"))
        if path and any("default" in child for child in (node.get("properties") or {}).values())
        if node.get("default") != {}
    ]
    assert missing == []


@pytest.mark.parametrize("case", PAIRS)
def test_every_field_is_described(case: str) -> None:
    name, part, _ = PAIRS[case]
    bare = [path for path, node in leaves(schema(name, part)) if not str(node.get("description", "")).strip()]
    assert bare == []


@pytest.mark.parametrize("name", ["benchmarkruns", "agentattempts"])
def test_names_and_subresource(name: str) -> None:
    spec = crd(name)["spec"]
    (version,) = spec["versions"]
    assert version["subresources"] == {"status": {}}
    assert spec["names"]["shortNames"] == [{"benchmarkruns": "brun", "agentattempts": "batt"}[name]]
    assert spec["names"]["categories"] == ["reprise"]
    assert spec["scope"] == "Namespaced"


def test_printer_columns_point_at_fields() -> None:
    for name in ("benchmarkruns", "agentattempts"):
        (version,) = crd(name)["spec"]["versions"]
        known = {f".{part}{path}" for part in ("spec", "status") for path, _ in leaves(schema(name, part))}
        known.add(".metadata.creationTimestamp")
        columns = {column["jsonPath"] for column in version["additionalPrinterColumns"]}
        assert columns <= known


def test_closed_sets_are_those_of_the_domain() -> None:
    status = dict(leaves(schema("benchmarkruns", "status")))
    assert status[".phase"]["enum"] == [str(phase) for phase in Phase]
    assert status[".conditions[].type"]["enum"] == [str(kind) for kind in ConditionType]
    attempt = dict(leaves(schema("agentattempts", "status")))
    assert sorted(attempt[".phase"]["enum"]) == sorted(str(phase) for phase in AttemptPhase)
    verdicts = dict(leaves(schema("agentattempts", "spec")))[".verdict.phase"]["enum"]
    unfinished = {AttemptPhase.PENDING, AttemptPhase.RUNNING, AttemptPhase.SUBMITTED}
    assert set(verdicts) == {str(phase) for phase in AttemptPhase if phase not in unfinished}


@pytest.mark.parametrize("case", PAIRS)
def test_rules_hold_for_an_object_that_is_empty_by_default(case: str) -> None:
    """The API server checks `default: {}` against the rules before it fills in the fields' own defaults: it
    refuses the whole CRD when a rule reads a field that is not there."""

    def look(node: Mapping[str, Any]) -> Iterator[str]:
        for rule in node.get("x-kubernetes-validations", ()) if node.get("default") == {} else ():
            # An absent field decides the rule, or none is read without being asked for.
            if not rule["rule"].startswith("!has(self."):
                yield rule["rule"]
        for child in (*(node.get("properties") or {}).values(), node.get("items") or {}):
            yield from look(child) if child else ()

    name, part, _ = PAIRS[case]
    assert list(look(schema(name, part))) == []


def test_a_retention_policy_says_something() -> None:
    """What the rules refuse is tried on a real server in test_crds_server.py."""
    snapshot = dict(leaves(schema("benchmarkruns", "spec")))[".snapshot"]
    kept = snapshot["properties"]["retention"]
    assert "default" not in kept, "an empty object by default would break its own rule"
    assert [rule["rule"] for rule in kept["x-kubernetes-validations"]] == [
        "has(self.keepLast) || has(self.keepDays)"
    ]


@pytest.mark.parametrize(
    ("snapshot", "mode"),
    [
        ({"retention": {}}, "live"),
        ({"retention": {"keepLast": 0}}, "live"),
        ({"retention": {"keepDays": 0}}, "live"),
        ({"enabled": False, "retention": {"keepLast": 1}}, "live"),
        ({"source": "x", "retention": {"keepLast": 1}}, "replay"),
        ({"source": "file:///etc"}, "replay"),
        ({"source": "https://me:secret@host/a"}, "replay"),
        ({"source": "../x"}, "replay"),
    ],
)
def test_the_types_refuse_what_the_rules_refuse(snapshot: dict[str, Any], mode: str) -> None:
    """For objects that were stored before the rules were there."""
    spec = {"mode": mode, "snapshot": snapshot, **({"scenario": "x"} if mode == "live" else {})}
    with pytest.raises(ValueError, match=r"retention|source|keep"):
        benchmark_run.Spec.model_validate(spec)
