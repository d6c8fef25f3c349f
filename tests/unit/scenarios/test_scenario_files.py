"""Scenario files: every mistake, with its line, all at once."""

import textwrap
from pathlib import Path

import pytest

from reprise.adapters import scenario_files
from reprise.domain import errors
from reprise.domain.scenario import Difficulty, Fault, Injector, TruthPolicy
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom

GOOD = """\
name: shop-closed
title: Title
symptom: Symptom
difficulty: hard
tags: [a, b-c]
application: otel-demo
faults:
  - mechanism: environment-variable-wrong
    target: {kind: Deployment, name: cart}
    params:
      variable: VALKEY_ADDR
    equivalents: [ConfigMap/x]
symptoms:
  - name: one
    alert: {name: HighRequestErrorRate, labels: {service_name: cart}}
  - name: two
    required: false
    metric: {query: 'sum(up{namespace=$namespace}) < 1'}
  - name: three
    event: {reason: Failed, kind: Pod, namePrefix: cart-, message: pull}
truth: {owned: false}
injector: visible
"""


def write(tmp_path: Path, text: str, name: str = "shop-closed.yaml") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(errors.InvalidInput) as caught:
        scenario_files.load(path)
    prefix = f"{path}:"
    assert all(problem.startswith(prefix) for problem in caught.value.problems), caught.value.problems
    return [problem.removeprefix(prefix) for problem in caught.value.problems]


def test_everything_is_read(tmp_path: Path) -> None:
    scenario = scenario_files.load(write(tmp_path, GOOD))
    assert (scenario.name, scenario.title, scenario.symptom) == ("shop-closed", "Title", "Symptom")
    assert (scenario.difficulty, scenario.injector) == (Difficulty.HARD, Injector.VISIBLE)
    assert (scenario.tags, scenario.truth_policy) == (("a", "b-c"), TruthPolicy(owned=False))
    assert scenario.faults == (
        Fault(
            "environment-variable-wrong",
            "Deployment",
            "cart",
            {"variable": "VALKEY_ADDR"},
            ("ConfigMap/x",),
        ),
    )
    assert scenario.symptoms == (
        AlertSymptom("one", "HighRequestErrorRate", {"service_name": "cart"}),
        MetricSymptom("two", "sum(up{namespace=$namespace}) < 1", required=False),
        EventSymptom("three", "Failed", "Pod", "cart-", "pull"),
    )


def test_without_symptoms_those_of_the_mechanism_are_taken(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("symptoms:\n")]
    (symptom,) = scenario_files.load(write(tmp_path, text)).symptoms
    assert symptom == AlertSymptom("requests fail", "HighRequestErrorRate", {"service_name": "cart"})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: Title", "", ["1: title: expected a value, found nothing"]),
        ("title: Title", "title: ''", ["2: title: string should have at least 1 character, found ''"]),
        ("title: Title", "title: 7", ["2: title: input should be a valid string, found 7"]),
        ("tags:", "tagz:", ["5: tagz: expected one of: name, title, symptom, difficulty, tags"]),
        ("hard", "harsh", ["4: difficulty: input should be 'easy', 'medium' or 'hard', found 'harsh'"]),
        ("otel-demo", "bookinfo", ["6: application: input should be 'otel-demo', found 'bookinfo'"]),
        ("title: Title", "title: A\ntitle: B", ["3: expected each key once, found 'title' again (line 2)"]),
        ("title: Title", "title: Title\n7: x",
         ["3: 7: expected one of", "3: expected a key that is a string, found 7"]),
        ("name: shop-closed", "name: other", ["1: name: expected 'shop-closed', the file's name, found"]),
        ("name: shop-closed", "name: Shop Closed", ["1: name: ", "1: name: "]),
        ("environment-variable-wrong", "nope", ["8: faults[0].mechanism: expected one of: "]),
        ("Deployment", "Service", ["9: faults[0].target.kind: expected Deployment for environment-"]),
        ("name: cart}", "nam: cart}", ["9: faults[0].target.nam: expected", "9: faults[0].target.name: "]),
        ("variable: V", "variable: 1V", ["11: faults[0].params.variable: expected the name of an"]),
        ("variable: V", "varable: V", ["10: faults[0].params.variable", "11: faults[0].params.varable"]),
        ("ConfigMap/x", "a/b/c/d", ["12: faults[0].equivalents[0]: expected 'namespace/Kind/name' or"]),
        ("$namespace}) < 1", "$namespace} < 1", ["18: symptoms[1].metric.query: expected '(' at column 4"]),
        ("sum(up{namespace=$namespace}) < 1", "", ["18: symptoms[1].metric.query: string should have"]),
        ("    alert: {", "    alarm: {", ["15: symptoms[0].alarm: expected one of: name, req"]),
        (
            "    required: false",
            "    alert: {name: X}",
            ["16: symptoms[1]: expected one of alert, metric, event; found alert, metric"],
        ),
        ("name: two", "name: one", ["16: symptoms[1].name: expected a name of its own, found 'one' again"]),
        ("required: false", "required: maybe", ["17: symptoms[1].required: input should be a valid bool"]),
        (
            "{owned: false}\ninjector: visible",
            "{experiments: true}",
            ["21: truth.experiments: expected false, because the injector is hidden, found true"],
        ),
        ("injector: visible", "injector: seen", ["22: injector: input should be 'hidden' or 'visible'"]),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in GOOD
    found = problems(write(tmp_path, GOOD.replace(old, new, 1)))
    assert len(found) == len(expected), found
    for line, beginning in zip(found, expected, strict=True):
        assert line.startswith(beginning), (line, beginning)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("hard", "harsh")
        .replace("variable: V", "varable: V")
        .replace("title: Title", "title: A\ntitle: B")
        .replace("injector: visible", "injector: seen")
    )
    assert len(problems(write(tmp_path, text))) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: expected a scenario, found an empty file"),
        ("a: [", "1: "),
        ("a: b\n c: d", "2: mapping values are not allowed here"),
        ("- a", "1: input should be a valid dictionary"),
        ("a: 1\n---\nb: 2", "2: but found another document"),
        ("a: !!python/object:os.system {}", "1: "),
        ("a: &x [*x]", "1: expected no anchor that holds itself"),
    ],
)
def test_not_a_scenario_at_all(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "shop-closed.yaml"
    path.write_text(text)
    assert problems(path)[0].startswith(expected)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "shop-closed.yaml"
    path.write_bytes(b"\xff\xfe")
    assert problems(path)[0].startswith("1: expected text in UTF-8")


def test_faults_and_symptoms_belong_together(tmp_path: Path) -> None:
    control = GOOD[: GOOD.index("faults:")] + "faults: []\n"
    assert scenario_files.load(write(tmp_path, control)).control
    with_symptoms = control + GOOD[GOOD.index("symptoms:") :]
    assert (
        problems(write(tmp_path, with_symptoms))[0] == "8: symptoms: expected none without faults, found some"
    )
    optional = GOOD[: GOOD.index("symptoms:")] + (
        "symptoms: [{name: x, required: false, alert: {name: X}}]\n"
    )
    assert problems(write(tmp_path, optional)) == ["13: symptoms: expected at least one required symptom"]


def test_names_are_unique_over_all_files_and_all_files_are_checked(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "a/shop-closed.yaml")
    second = write(tmp_path, GOOD, "b/shop-closed.yaml")
    third = write(tmp_path, GOOD.replace("hard", "harsh"), "c/shop-closed.yaml")
    with pytest.raises(errors.InvalidInput) as caught:
        scenario_files.load_all(tmp_path)
    assert len(caught.value.problems) == 3
    assert [p.split(":")[0] for p in caught.value.problems] == [str(second), str(third), str(third)]


def test_a_folder_that_is_none_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="REPRISE_SCENARIOS"):
        scenario_files.load_all(tmp_path / "nowhere")


def test_a_folder_stands_for_the_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    files = [tmp_path / name for name in ("b.yaml", "deep/a.yaml", "notes.txt")]
    for file in files:
        file.touch()
    assert scenario_files.expand([files[2], tmp_path]) == [files[2], files[0], files[1]]
