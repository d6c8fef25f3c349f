"""Which kubeconfig is used."""

import asyncio
import os
from pathlib import Path

import pytest

from reprise.adapters.kube import Kube
from reprise.domain import errors

CONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: me, user: {token: t}}]
"""


async def test_a_kubeconfig_that_is_named_after_the_import_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    async with await Kube.connect() as kube:
        with pytest.raises(errors.Unreachable, match="did not answer"):
            await kube.request("GET", "/version")


async def test_without_any_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(errors.InvalidInput, match="reprise up"):
        await Kube.connect()


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:2"])
async def test_a_proxy_is_looked_for_where_the_environment_names_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxy: str
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    if proxy:
        monkeypatch.setenv("http_proxy", proxy)
    (tmp_path / "config").write_text(CONFIG)
    async with await Kube.connect(str(tmp_path / "config")) as kube:
        with pytest.raises(errors.Unreachable, match="port=2," if proxy else "port=1,"):
            await kube.request("GET", "/version")


async def test_a_request_waits_for_no_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(CONFIG)
    asked: list[object] = []
    monkeypatch.setattr(asyncio, "to_thread", lambda *call: asked.append(call))
    async with await Kube.connect(str(tmp_path / "config")) as kube:
        with pytest.raises(errors.Unreachable):
            await kube.request("GET", "/version")
    assert asked == []
