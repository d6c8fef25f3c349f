"""Hermetic by default: a unit or contract test that reaches for a cluster or a home folder is a bug."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Property tests judge results, never how long a busy machine takes for them.
settings.register_profile("no-deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no-deadline")
TESTS = Path(__file__).parent
DATA = TESTS / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (TESTS / "live") in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(autouse=True)
def no_accidental_cluster(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Point every way to a real cluster somewhere empty, unless the test is marked live."""
    if request.node.get_closest_marker("live"):
        return
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("REPRISE_STATE", "REPRISE_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in [key for key in os.environ if key.startswith(("KUBERNETES_", "OTEL_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def data() -> Path:
    """The folder of recorded inputs."""
    return DATA
