"""What mechanisms plan from, when a part of the API server is away."""

from typing import Any

import pytest

from reprise.adapters import engine_observe
from reprise.domain import errors


class Server:
    """Has one Deployment; serves neither Istio's kinds nor, when told so, metrics-server's."""

    def __init__(self, measured: errors.RepriseError | None) -> None:
        self._measured = measured

    async def list_objects(self, api_version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        if api_version.startswith("security.istio.io/"):
            raise errors.NotFound("the server could not find the requested resource")
        if kind == "PodMetrics" and self._measured:
            raise self._measured
        named = {"Deployment": "cart", "PodMetrics": "cart-1"}.get(kind)
        return [{"kind": kind, "metadata": {"name": named, "namespace": namespace}}] if named else []


@pytest.mark.parametrize(
    ("measured", "usage"),
    [
        (None, {"cart-1"}),
        (errors.NotFound("the server could not find the requested resource"), set()),
        (errors.Unreachable("503: service unavailable"), set()),
    ],
)
async def test_without_metrics_server_everything_else_is_observed(
    measured: errors.RepriseError | None, usage: set[str]
) -> None:
    observed = await engine_observe.observe(Server(measured), "shop")  # type: ignore[arg-type]
    assert set(observed.all("PodMetrics")) == usage
    assert set(observed.all("Deployment")) == {"cart"}
    assert observed.all("AuthorizationPolicy") == {}


async def test_an_api_server_that_is_away_is_no_empty_application() -> None:
    class Away(Server):
        async def list_objects(self, api_version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
            if kind == "Deployment":
                raise errors.Unreachable("503: service unavailable")
            return await super().list_objects(api_version, kind, namespace)

    with pytest.raises(errors.Unreachable):
        await engine_observe.observe(Away(None), "shop")  # type: ignore[arg-type]
