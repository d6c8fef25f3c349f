"""Waiting until an object is gone: it goes before, while and after somebody looks, or it stays."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.fakes.kube import FakeKube

from reprise.adapters.kube import Json
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.proof import copies, waiting

REF = ObjectRef("v1", "Namespace", "", "otel-demo-2")


def namespace(**metadata: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": REF.name, **metadata}}


class Racing(FakeKube):
    """`between` happens after an object was got and before the watch of it begins."""

    def between(self) -> None:
        self.drop("v1", "Namespace", "", REF.name)

    async def watch(self, *arguments: Any, **options: Any) -> AsyncIterator[tuple[str, Json]]:
        if self.objects():
            self.between()
        seen = super().watch(*arguments, **options)
        async for event in seen:
            yield event


class Replaced(Racing):
    def between(self) -> None:
        super().between()
        self.store(namespace())


async def wait(kube: FakeKube, seconds: int = 300) -> None:
    async with asyncio.timeout(10):  # a guard against hanging
        await waiting.gone(kube, REF, seconds)


async def test_what_is_not_there_is_gone() -> None:
    await wait(FakeKube())


async def test_what_goes_while_it_is_watched_is_gone() -> None:
    kube = FakeKube(namespace())
    asyncio.get_running_loop().call_soon(kube.drop, "v1", "Namespace", "", REF.name)
    await wait(kube)
    assert kube.objects() == {}


@pytest.mark.parametrize("kube", [Racing(namespace()), Replaced(namespace())], ids=["gone", "a new one"])
async def test_what_went_before_the_watch_began_is_gone(
    kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_WATCH_SECONDS", 0)
    await wait(kube)


async def test_what_stays_is_told() -> None:
    with pytest.raises(errors.Conflict, match=r"expected Namespace/otel-demo-2 to go within 0 s"):
        await wait(FakeKube(namespace()), seconds=0)


async def test_a_copy_that_is_being_removed_is_made_anew() -> None:
    kube = FakeKube(namespace(deletionTimestamp="2026-01-01T00:00:00Z"))
    asyncio.get_running_loop().call_soon(kube.drop, "v1", "Namespace", "", REF.name)
    async with asyncio.timeout(10):
        await copies.ensure(kube, REF.name)
    (made,) = [one for one in kube.objects().values() if one["kind"] == "Namespace"]
    assert "deletionTimestamp" not in made["metadata"]
