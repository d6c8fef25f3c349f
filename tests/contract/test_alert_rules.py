"""What the alert rules say of made-up series, judged by Prometheus' own promtool.

Each case names every alert that must fire, so it also says which must not.
"""

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from tests.contract.alert_rule_cases import CASES, STEPS, Case, case, owned

from reprise.cluster import alert_profile, paths

RULES = sorted((Path(__file__).parents[2] / "manifests/observability/rules").glob("*.yaml"))

# Those of gauges alone: ten times slower counters would be other rates.
SLOW = [one for one in CASES if not any("+" in values for values in one.series.values())]


@pytest.fixture(scope="module")
def promtool() -> Path:
    """Of the machine, or what `reprise up` compiled beside Prometheus."""
    built = sorted(paths.cache_dir().glob("go/prometheus-*/promtool"))
    found = shutil.which("promtool") or (built and built[-1])
    if not found:
        pytest.skip("no promtool: it is compiled with Prometheus by `reprise up` in the build profile")
    return Path(found)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)


def group(one: Case, interval: int) -> dict[str, object]:
    """The case as a test of promtool's: exactly the expected alerts fire at its end."""
    series = {**owned("shop"), **owned("shop-two"), **one.series}
    firing = {
        "expr": 'count by (alertname, namespace, service_name) (ALERTS{alertstate="firing"} * 0 + 1)',
        "eval_time": f"{STEPS * interval}s",
        "exp_samples": [
            {"labels": f'{{alertname="{alert}", namespace="{where}", service_name="{who}"}}', "value": 1}
            for alert, where, who in one.fires
        ],
    }
    return {
        "name": one.name,
        "interval": f"{interval}s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [firing],
    }


def judged(
    promtool: Path, folder: Path, rules: list[Path], cases: list[Case], interval: int
) -> dict[str, str]:
    """What promtool objects to, by case; empty where it does not. One process for all: it starts slowly."""
    tests = {
        "rule_files": [str(path) for path in rules],
        "evaluation_interval": f"{interval}s",
        "tests": [group(one, interval) for one in cases],
    }
    path, report = folder / "test.yaml", folder / "report.xml"
    path.write_text(yaml.safe_dump(tests))
    done = run(promtool, "test", "rules", f"--junit={report}", path)
    assert report.exists(), done.stdout + done.stderr
    found = {one.get("name", ""): one for one in ElementTree.parse(report).iter("testcase")}  # noqa: S314 – promtool wrote it
    return {name: "".join(one.itertext()) for name, one in found.items()}


@pytest.fixture(scope="module")
def short_verdicts(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return judged(promtool, tmp_path_factory.mktemp("short"), RULES, CASES, 5)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("production")
    for path in RULES:
        (folder / path.name).write_text(alert_profile.production(path.read_text()))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def production_verdicts(
    promtool: Path, production: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("verdicts")
    return judged(promtool, folder, production, SLOW, 5 * alert_profile.FACTOR)


@pytest.mark.parametrize("name", [one.name for one in CASES])
def test_exactly_these_alerts_fire(short_verdicts: dict[str, str], name: str) -> None:
    assert short_verdicts[name] == ""


@pytest.mark.parametrize("name", [one.name for one in SLOW])
def test_the_same_fire_after_ten_times_as_long(production_verdicts: dict[str, str], name: str) -> None:
    assert production_verdicts[name] == ""


@pytest.mark.parametrize("alert", ["CoreDNSDown kube-system coredns", "KubePodEvicted"])
def test_an_alert_that_does_not_fire_is_noticed(promtool: Path, tmp_path: Path, alert: str) -> None:
    verdicts = judged(promtool, tmp_path, RULES, [case("quiet", {}, alert)], 5)
    assert alert.split()[0] in verdicts["quiet"]


def test_prometheus_accepts_both_profiles(promtool: Path, production: list[Path]) -> None:
    for rules in (RULES, production):
        done = run(promtool, "check", "rules", *rules)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_or_is_proven_live() -> None:
    """Those without one here are as old as the live test that makes them fire."""
    live = {
        "HighRequestLatency",
        "KubeContainerWaiting",
        "KubeDeploymentReplicasMismatch",
        "KubeDeploymentRolloutStuck",
        "DeploymentScaledToZero",
        "ServiceWithoutEndpoints",
        "KubeHpaMaxedOut",
    }
    alerts = {
        rule["alert"]
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert alerts - live == {alert for one in CASES for alert, _, _ in one.fires}
