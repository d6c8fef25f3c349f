"""The production profile is the short one with longer windows, and nothing else."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from reprise.cli import main
from reprise.cluster import alert_profile, bring_up, fill, install, nodes, state
from reprise.cluster.alert_profile import AlertProfile
from reprise.cluster.progress import Progress
from reprise.cluster.store import Store
from reprise.cluster.tools import Tools
from reprise.domain import durations, errors, promql

FOLDER = Path(__file__).parents[3] / "manifests" / "observability"
FILES = sorted((FOLDER / "rules").glob("*.yaml"))


@pytest.mark.parametrize(
    ("short", "production"),
    [
        ("rate(a[25s]) > 5", "rate(a[250s]) > 5"),
        ("rate(a[1m])", "rate(a[10m])"),
        ("rate(a[1m30s])", "rate(a[15m])"),
        ("rate(a[ 500ms ])", "rate(a[5s])"),
        ("max_over_time(a[1h])", "max_over_time(a[2h])"),
        ("max_over_time(a[3h])", "max_over_time(a[3h])"),
        ("max_over_time(rate(a[1m])[5m:5s])", "max_over_time(rate(a[10m])[50m:5s])"),
        ("max_over_time(a[5m:])", "max_over_time(a[50m:])"),
        ("a offset 1m", "a offset 10m"),
        ("a offset -30s", "a offset -5m"),
        ("q(a:rate[10m] offset 1m)", "q(a:rate[100m] offset 10m)"),
        ("sum by (a) (rate(x[1m])) * 60 >= 5m_like", "sum by (a) (rate(x[10m])) * 60 >= 5m_like"),
        ("a{b=\"rate[1m]\", c=~'[2h]'}", "a{b=\"rate[1m]\", c=~'[2h]'}"),
        ('a{b="\\"[1m]"}[1m]', 'a{b="\\"[1m]"}[10m]'),
        ("a # [1m]\n[1m]", "a # [1m]\n[10m]"),
        ("group_left_offset + 1", "group_left_offset + 1"),
    ],
)
def test_windows_and_offsets_grow_tenfold(short: str, production: str) -> None:
    assert alert_profile.scaled(short) == production


@pytest.mark.parametrize(("text", "length"), [("5s", 5), ("1m30s", 90), ("1h", 3600), ("250ms", 0.25)])
def test_durations_have_a_length(text: str, length: float) -> None:
    assert durations.seconds(text) == length


@pytest.mark.parametrize("text", ["", "5", "s", "1.5s", "5 s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInput, match="1m30s"):
        durations.seconds(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_rule_file_keeps_everything_but_its_durations(path: Path) -> None:
    short = yaml.safe_load(path.read_text())
    long = yaml.safe_load(alert_profile.production(path.read_text()))

    assert [group["name"] for group in long["groups"]] == [group["name"] for group in short["groups"]]
    for before, after in zip(short["groups"], long["groups"], strict=True):
        for rule, changed in zip(before["rules"], after["rules"], strict=True):
            assert promql.problem(changed["expr"]) == ""
            old, new = rule.get("annotations", {}), changed.get("annotations", {})
            if "history" in old:
                longer = durations.seconds(old.pop("history")) * alert_profile.FACTOR
                assert durations.seconds(new.pop("history")) == longer
            assert {**rule, "expr": 0, "for": 0} == {**changed, "expr": 0, "for": 0}
            assert without_durations(rule["expr"]) == without_durations(changed["expr"])
            if "for" in rule:
                waits = durations.seconds(rule["for"]) * alert_profile.FACTOR
                assert durations.seconds(changed["for"]) == waits


def without_durations(expression: str) -> str:
    return re.sub(r"\[\w+\]|offset \w+", "", expression)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_expression_holds_the_length_of_a_window_as_a_number(path: Path) -> None:
    """`rate * 60` would still mean a minute where the window has grown to ten."""
    for group in yaml.safe_load(path.read_text())["groups"]:
        for rule in group["rules"]:
            assert not re.search(r"\*\s*(25|40|60|120)\b|time\(\)", rule["expr"]), rule


def test_no_window_of_either_profile_looks_back_further_than_prometheus_stores() -> None:
    (stored,) = re.findall(r"retention\.time=(\w+)", (FOLDER / "prometheus.yaml").read_text())
    assert durations.seconds(stored) == alert_profile.STORED_SECONDS
    for path in FILES:
        for text in (path.read_text(), alert_profile.production(path.read_text())):
            for window, offset in re.findall(r"\[(\w+)\](?: offset (\w+))?", text):
                length = durations.seconds(window) + (durations.seconds(offset) if offset else 0)
                assert length <= alert_profile.STORED_SECONDS, path.name


RULES: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "prometheus-rules", "namespace": "observability"},
    "data": {"a.yaml": "groups: [{name: a, rules: [{alert: A, expr: 'rate(a[1m]) > 0', for: 5s}]}]"},
}
OTHER = {"kind": "Secret", "metadata": {"name": "prometheus-rules"}, "data": {"a": "[1m]"}}


def test_only_the_config_map_of_the_rules_changes() -> None:
    other, rules = alert_profile.applied([OTHER, RULES], AlertProfile.PRODUCTION)
    assert other == OTHER
    assert isinstance(rules, dict)
    (group,) = yaml.safe_load(rules["data"]["a.yaml"])["groups"]
    assert group["rules"] == [{"alert": "A", "expr": "rate(a[10m]) > 0", "for": "50s"}]
    assert "[1m]" in RULES["data"]["a.yaml"], "the short profile is not written over"


def test_the_short_profile_is_what_the_files_say() -> None:
    assert alert_profile.applied([OTHER, RULES], AlertProfile.SHORT) == [OTHER, RULES]


def test_rules_that_are_not_there_are_missed() -> None:
    with pytest.raises(errors.NotFound, match="prometheus-rules"):
        alert_profile.applied([OTHER], AlertProfile.PRODUCTION)
    assert alert_profile.applied([], AlertProfile.PRODUCTION) == []


@pytest.mark.parametrize(
    ("asked", "remembered", "expected"),
    [
        (None, None, AlertProfile.SHORT),
        (None, "production", AlertProfile.PRODUCTION),
        (AlertProfile.SHORT, "production", AlertProfile.SHORT),
        (AlertProfile.PRODUCTION, None, AlertProfile.PRODUCTION),
        (AlertProfile.PRODUCTION, "what", AlertProfile.PRODUCTION),
    ],
)
def test_a_profile_that_is_not_asked_for_is_kept(
    asked: AlertProfile | None, remembered: str | None, expected: AlertProfile
) -> None:
    assert alert_profile.chosen(asked, remembered) is expected


def test_an_unknown_profile_in_the_record_is_named() -> None:
    with pytest.raises(errors.Corrupt, match="--alert-profile"):
        alert_profile.chosen(None, "what")


def test_a_record_of_before_there_were_profiles_means_the_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_STATE", str(tmp_path))
    state.save(state.Remembered("reprise", "build", 1, 16443, "n:1", finished=True))
    path = tmp_path / "state.json"
    old = {name: value for name, value in json.loads(path.read_text()).items() if name != "alert_profile"}
    path.write_text(json.dumps(old))

    remembered = state.load("reprise")

    assert remembered is not None
    assert alert_profile.chosen(None, remembered.alert_profile) is AlertProfile.SHORT


@dataclass(frozen=True)
class Recorder(install.Kubectl):
    """Keeps what would be applied."""

    applied: list[object] = field(default_factory=list)

    def apply(self, documents: Sequence[object]) -> None:
        self.applied.extend(documents)

    def run(
        self, *words: str | Path, stdin: str | None = None, check: bool = True, timeout: float = 300
    ) -> str:
        return "{}"


@pytest.mark.parametrize(("profile", "window"), [("short", "[1m]"), ("production", "[10m]")])
def test_up_applies_the_rules_of_the_profile(tmp_path: Path, profile: str, window: str) -> None:
    tools = Tools(tmp_path)
    kubectl = Recorder(tools, "kubectl", tmp_path / "kubeconfig")
    filler = fill.Filler(
        tmp_path,
        fill.Supply({}),
        nodes.Nodes(tools, "podman", "c"),
        kubectl,
        "https://127.0.0.1:1",
        Store(tmp_path),
        tools,
        Progress(),
        AlertProfile(profile),
    )
    filler._apply(install.Manifests([RULES], [], [], []), {})
    (rules,) = [
        d for d in kubectl.applied if isinstance(d, dict) and d["metadata"]["name"] == "prometheus-rules"
    ]
    assert f"rate(a{window})" in rules["data"]["a.yaml"]


@pytest.mark.parametrize(
    ("words", "asked"),
    [([], None), (["--alert-profile", "production"], AlertProfile.PRODUCTION)],
)
def test_the_command_line_says_which_profile(
    words: list[str],
    asked: AlertProfile | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REPRISE_STATE", str(tmp_path))
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path))
    seen: list[bring_up.Wanted] = []
    monkeypatch.setattr(bring_up.Builder, "up", lambda self: seen.append(self.wanted))

    done = CliRunner().invoke(main.cli, ["up", *words])

    assert done.exit_code == 0, done.output
    assert [wanted.alerts for wanted in seen] == [asked]


def test_an_unknown_profile_is_refused_before_anything_happens() -> None:
    done = CliRunner().invoke(main.cli, ["up", "--alert-profile", "relaxed"])
    assert done.exit_code == 2
    assert "'short', 'production'" in done.output
