"""Three-way comparisons: what is ours, what was there, what is somebody else's."""

import copy
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from reprise.domain import mutating, mutation, paths
from reprise.domain.entities import ObjectRef
from reprise.domain.mutating import Done, Make, Move, Remove, Wait, Write
from reprise.domain.mutation import (
    BeforeCreate,
    BeforeDelete,
    BeforePatch,
    Create,
    Delete,
    OldField,
    Patch,
    PlannedMutation,
    SetField,
)
from reprise.domain.paths import ABSENT, Item

REF = ObjectRef("v1", "Service", "shop", "ad")
PATH = ("spec", "selector", "app")


def service(app: Any = "ad", uid: str = "u1", **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"selector": {} if app is ABSENT else {"app": app}}
    meta = {"name": "ad", "namespace": "shop", "uid": uid, "resourceVersion": "5", **metadata}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


PATCH = PlannedMutation(Patch(REF, (SetField(PATH, "wrong"),)), BeforePatch("u1", (OldField("ad"),)))
MANIFEST = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "ad", "namespace": "shop"},
    "spec": {"selector": {"app": "ad"}},
}
CREATE = PlannedMutation(Create(MANIFEST), BeforeCreate())
DELETE = PlannedMutation(Delete(REF), BeforeDelete("u1", MANIFEST))
LEAVING = "2026-01-01T00:00:00Z"


def kind(move: Move) -> str:
    return "conflict" if isinstance(move, Done) and move.conflict else type(move).__name__


@pytest.mark.parametrize(
    ("planned", "found", "forward", "backward"),
    [
        pytest.param(PATCH, service("ad"), "Write", "Done", id="patch: as before"),
        pytest.param(PATCH, service("wrong"), "Done", "Write", id="patch: as ours"),
        pytest.param(PATCH, service("other"), "conflict", "conflict", id="patch: somebody else's value"),
        pytest.param(PATCH, service(ABSENT), "conflict", "conflict", id="patch: field gone"),
        pytest.param(PATCH, None, "conflict", "conflict", id="patch: object gone"),
        pytest.param(PATCH, service("wrong", uid="u2"), "conflict", "Write", id="patch: made again"),
        pytest.param(CREATE, None, "Make", "Done", id="create: nothing there"),
        pytest.param(CREATE, service("ad"), "Done", "Remove", id="create: ours, with defaults"),
        pytest.param(CREATE, service("other"), "conflict", "conflict", id="create: changed or another"),
        pytest.param(
            CREATE, service("ad", deletionTimestamp=LEAVING), "Wait", "Wait", id="create: on its way out"
        ),
        pytest.param(DELETE, service(), "Remove", "Done", id="delete: still there"),
        pytest.param(DELETE, None, "Done", "Make", id="delete: gone"),
        pytest.param(DELETE, service(deletionTimestamp=LEAVING), "Wait", "Wait", id="delete: on its way out"),
        pytest.param(DELETE, service(uid="u2"), "conflict", "Done", id="delete: the same made again"),
        pytest.param(DELETE, service("other", uid="u2"), "conflict", "conflict", id="delete: another"),
    ],
)
def test_moves(planned: PlannedMutation, found: dict[str, Any] | None, forward: str, backward: str) -> None:
    kept = copy.deepcopy(found)
    assert kind(mutating.forward(planned, found)) == forward
    assert kind(mutating.backward(planned, found)) == backward
    assert found == kept, "deciding must not change what was found"


def test_conflict_says_expected_and_found() -> None:
    move = mutating.backward(PATCH, service("other"))
    assert isinstance(move, Done)
    assert move.conflict == (
        "shop/Service/ad: spec.selector.app: expected 'wrong' or 'ad', found 'other', "
        "which somebody else put there"
    )


def test_a_patch_of_several_fields_is_all_or_nothing() -> None:
    planned = PlannedMutation(
        Patch(REF, (SetField(PATH, "wrong"), SetField(("spec", "type"), "NodePort"))),
        BeforePatch("u1", (OldField("ad"), OldField("ClusterIP"))),
    )
    found = service("wrong")
    found["spec"]["type"] = "ExternalName"
    assert kind(mutating.backward(planned, found)) == "conflict"


# -- properties: apply and revert of anything give back what was there ------------------------------

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=4, unique=True)


@st.composite
def patches(draw: st.DrawFn) -> tuple[PlannedMutation, dict[str, Any]]:
    """An object and a planned patch of it, at a map's key or at an entry of a keyed list."""
    entries = [{"name": name, "value": draw(values)} for name in draw(names)]
    found = service()
    found["spec"] |= {"list": entries, "map": draw(st.dictionaries(st.text(max_size=3), values, max_size=3))}
    name = draw(st.one_of(st.sampled_from([e["name"] for e in entries]), st.text(min_size=1, max_size=3)))
    new: Any
    if draw(st.booleans()):
        path: paths.Path = ("spec", "list", Item("name", name))
        new = draw(st.one_of(st.just(ABSENT), values.map(lambda v: {"name": name, "value": v})))
    else:
        path = ("spec", "map", draw(st.text(max_size=3)))
        new = draw(st.one_of(st.just(ABSENT), values))
    at = paths.position(paths.get(found, path[:-1]), path[-1]) if isinstance(path[-1], Item) else None
    before = BeforePatch("u1", (OldField(paths.get(found, path), at),))
    return PlannedMutation(Patch(REF, (SetField(path, new),)), before), found


def carry_out(move: Move, found: dict[str, Any] | None) -> dict[str, Any] | None:
    match move:
        case Write(manifest) | Make(manifest):
            return manifest
        case Remove():
            return None
        case Done(conflict):
            assert not conflict
            return found
        case Wait():
            raise AssertionError("nothing to wait for")


@settings(max_examples=60)
@given(patches())
def test_revert_of_apply_is_identity_and_twice_is_once(
    case: tuple[PlannedMutation, dict[str, Any]],
) -> None:
    planned, found = case
    applied = carry_out(mutating.forward(planned, found), found)
    assert mutating.forward(planned, applied) == Done()
    assert carry_out(mutating.backward(planned, applied), applied) == found
    assert mutating.backward(planned, found) == Done()


@settings(max_examples=60)
@given(patches())
def test_stored_and_loaded_is_the_same(case: tuple[PlannedMutation, dict[str, Any]]) -> None:
    planned, _ = case
    assert mutation.from_json(json.loads(json.dumps(mutation.to_json(planned)))) == planned


@pytest.mark.parametrize("planned", [CREATE, DELETE, PATCH])
def test_every_family_survives_storage(planned: PlannedMutation) -> None:
    assert mutation.from_json(json.loads(json.dumps(mutation.to_json(planned)))) == planned
