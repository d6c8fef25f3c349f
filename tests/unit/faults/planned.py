"""What was planned, taken apart: for the tests of faults in objects beside the pod template."""

from typing import Any

from tests.unit.faults import shop
from tests.unit.faults.cases_objects import EXTRA

from reprise.domain import paths
from reprise.domain.mutation import Create, Patch
from reprise.faults.mechanism import Injection, Json, Observed


def observed(*extra: Json) -> Observed:
    return shop.observed(*EXTRA, *extra)


def made(injection: Injection, kind: str) -> Json:
    (manifest,) = [
        m.manifest for m in injection.mutations if isinstance(m, Create) and m.manifest["kind"] == kind
    ]
    return manifest


def patched(injection: Injection) -> dict[str, tuple[str, Any]]:
    """By object: the path and the value of its one change."""
    return {
        str(m.ref): (paths.text(m.changes[0].path), m.changes[0].value)
        for m in injection.mutations
        if isinstance(m, Patch)
    }
