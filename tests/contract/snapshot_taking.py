"""Snapshots of the backends of snapshot_backends.py: what test_snapshot.py, test_snapshot_recording.py and
test_snapshot_verify.py share."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.contract import snapshot_backends as backends
from tests.fakes.api_server import ApiServer, connect, serve

from reprise.snapshot import manifest, recorder

SNAPSHOT_ID = backends.REQUEST.snapshot_id
OBJECTS = (
    "core~v1~pods", "core~v1~namespaces", "core~v1~nodes", "core~v1~configmaps", "core~v1~events",
    "apps~v1~deployments", "autoscaling~v2~horizontalpodautoscalers",
    "autoscaling~v1~horizontalpodautoscalers", "coordination.k8s.io~v1~leases", "metrics.k8s.io~v1beta1~pods",
)  # fmt: skip


async def take(
    directory: Path,
    jaeger: object | None = None,
    server: ApiServer | None = None,
    spools: Path | None = None,
    secrets: Mapping[str, Any] | None = backends.SECRETS,
    **changes: Any,
) -> manifest.Manifest:
    async with serve(server or backends.api_server()) as url, connect(url) as kube:
        return await recorder.record(
            kube,
            backends.FakePrometheus(),  # type: ignore[arg-type]
            jaeger or backends.FakeJaeger(),  # type: ignore[arg-type]
            directory,
            dataclasses.replace(backends.REQUEST, **changes),
            spools=spools,
            secrets=secrets,
        )


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    asyncio.run(take(tmp_path / "snap"))
    return tmp_path / "snap"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
