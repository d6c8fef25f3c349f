"""What a seed generates: repeatable, distinct, spread, valid."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.unit.families import lite

from reprise.adapters import scenario_files, scenario_write
from reprise.cli import generate as command
from reprise.cli import scenarios as commands
from reprise.domain import errors
from reprise.domain.scenario import Difficulty, Fault, Injector, Noise, Scenario, TruthPolicy
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom
from reprise.faults import registry
from reprise.faults.families import generate, table
from reprise.faults.families.generate import Request
from reprise.faults.families.table import Wanted


def keys(scenario: Scenario) -> frozenset[str]:
    return frozenset(
        json.dumps([f.mechanism, f.kind, f.name, f.params], sort_keys=True) for f in scenario.faults
    )


def texts(made: tuple[Scenario, ...]) -> list[str]:
    return [scenario_write.dump(scenario) for scenario in made]


@pytest.mark.parametrize("faults", [1, 2])
def test_the_same_seed_gives_the_same_bytes_and_more_begin_with_fewer(faults: int) -> None:
    once = texts(generate.scenarios(Request(11, 120, faults=faults)))
    assert once == texts(generate.scenarios(Request(11, 120, faults=faults)))
    assert once[:30] == texts(generate.scenarios(Request(11, 30, faults=faults)))
    other = texts(generate.scenarios(Request(12, 120, faults=faults)))
    assert [text.partition("\n")[2] for text in once] != [text.partition("\n")[2] for text in other]


@pytest.mark.parametrize("faults", [1, 2])
def test_three_hundred_are_distinct_and_valid(faults: int, tmp_path: Path) -> None:
    made = generate.scenarios(Request(3, 300, faults=faults))
    assert len({keys(scenario) for scenario in made}) == 300
    assert all(len(scenario.faults) == faults for scenario in made)
    files = scenario_write.write(made, tmp_path)
    assert scenario_files.load_files(files) == {scenario.name: scenario for scenario in made}


def test_the_whole_space_is_reached_and_no_more() -> None:
    size = table.sizes(table.choose(Wanted())).single
    made = generate.scenarios(Request(5, size))
    assert len({keys(scenario) for scenario in made}) == size
    with pytest.raises(errors.InvalidInput, match=f"expected at most {size}, .*found {size + 1}"):
        generate.scenarios(Request(5, size + 1))


def test_every_pair_is_reached_once() -> None:
    wanted = Wanted(
        mechanisms=["service-account-missing", "config-map-key-removed", "workload-scaled-to-zero"]
    )
    size = table.sizes(table.choose(wanted)).double
    made = generate.scenarios(Request(5, size, wanted, faults=2))
    assert len({keys(scenario) for scenario in made}) == size
    with pytest.raises(errors.InvalidInput, match=f"expected at most {size}, "):
        generate.scenarios(Request(5, size + 1, wanted, faults=2))


def test_no_family_no_incident() -> None:
    for faults in (1, 2):
        nothing = Wanted(tags=["locking"], mechanisms=["feature-flag"])
        with pytest.raises(errors.InvalidInput, match="expected at most 0"):
            generate.scenarios(Request(1, 1, nothing, faults))


def test_fifty_are_spread_over_mechanisms_and_workloads() -> None:
    families = table.choose(Wanted())
    for seed in range(20):
        made = generate.scenarios(Request(seed, 50))
        used = Counter(scenario.faults[0].mechanism for scenario in made)
        assert len(used) == len(families)
        assert max(used.values()) == 2
        hurt = Counter(scenario.title.partition(":")[0] for scenario in made)
        assert len(hurt) >= 20
        # The servers have families that nobody else can be hit by.
        assert max(hurt.values()) <= 9


def test_decoys_are_harmless_elsewhere_and_only_where_wanted() -> None:
    made = generate.scenarios(Request(8, 300))
    bare = generate.scenarios(Request(8, 300, decoys=False))
    assert [keys(scenario) for scenario in made] == [keys(scenario) for scenario in bare]
    assert not any(scenario.decoys for scenario in bare)
    with_some = [scenario for scenario in made if scenario.decoys]
    assert 60 < len(with_some) < 140
    for scenario in with_some:
        assert "decoy" in scenario.tags
        touched = {scenario.title.partition(":")[0], *(fault.name for fault in scenario.faults)}
        for decoy in scenario.decoys:
            assert registry.check(decoy, decoy=True) == ()
            assert decoy.name not in touched


def test_incidents_with_decoys_can_be_planned_together() -> None:
    observed = lite.observed()
    for scenario in generate.scenarios(Request(8, 100, faults=2)):
        seen = observed
        for fault in (*scenario.decoys, *scenario.faults):
            assert registry.inject(fault, 8, seen).mutations


def test_a_second_fault_or_several_decoys_make_it_harder() -> None:
    def level(scenario: Scenario) -> int:
        return list(Difficulty).index(scenario.difficulty)

    bare = generate.scenarios(Request(8, 300, decoys=False))
    for scenario, plain in zip(generate.scenarios(Request(8, 300)), bare, strict=True):
        harder = len(scenario.decoys) > 1 and plain.difficulty is not Difficulty.HARD
        assert level(scenario) == level(plain) + harder
    assert all(level(scenario) >= 1 for scenario in generate.scenarios(Request(8, 50, faults=2)))


def test_of_two_faults_only_what_shows_by_itself_is_required() -> None:
    for scenario in generate.scenarios(Request(9, 100, faults=2)):
        hurt = {part.partition(":")[0] for part in scenario.title.split("; ")}
        required = [symptom for symptom in scenario.symptoms if symptom.required]
        assert len(required) >= 2
        for symptom in required:
            match symptom:
                case AlertSymptom():
                    assert hurt & set(symptom.labels.values())
                case EventSymptom():
                    assert symptom.name_prefix.rstrip("-") in hurt
                case _:
                    pytest.fail(f"not about one workload: {symptom}")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(-1, 0, faults=3), r"(?s)seed: .*-1.*count: .*0.*faults: .*3"),
        (Request(1, 1, Wanted(tags=["x"])), "tag: expected one of: .*found 'x'"),
    ],
)
def test_bad_requests(request_: Request, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        generate.scenarios(request_)


def test_names_say_nothing() -> None:
    made = generate.scenarios(Request(7, 3))
    assert [scenario.name for scenario in made] == [f"generated-7-00{number}" for number in (1, 2, 3)]


# -- as files ---------------------------------------------------------------------------------------


def test_every_field_survives_its_file() -> None:
    symptoms = (
        AlertSymptom("a", "SomeAlert", {"service_name": "cart"}),
        MetricSymptom("b", 'sum(rate(x{namespace=$namespace, y=~"a: b"}[1m])) > 1', required=False),
        EventSymptom("c", "Failed", "Pod", "cart-", "no: such, image", required=False),
    )
    scenario = Scenario(
        name="whole",
        title="Title: with a colon",
        symptom="What users notice.",
        difficulty=Difficulty.EASY,
        tags=("one", "two"),
        application="otel-demo",
        faults=(
            Fault(
                "resource-quota-insufficient",
                "Deployment",
                "cart",
                {"hard": {"pods": "14"}},
                ("ReplicaSet/cart-1",),
            ),
        ),
        symptoms=symptoms,
        truth_policy=TruthPolicy(owned=False, experiments=True),
        injector=Injector.VISIBLE,
        decoys=(Fault("label-changed", "Deployment", "ad"),),
        noise=Noise(1),
        expected_seconds=77,
    )
    assert scenario_files.parse(scenario_write.dump(scenario), Path("whole.yaml")) == scenario


def test_every_shipped_scenario_survives_its_file() -> None:
    for name, scenario in scenario_files.load_all(scenario_files.default_directory()).items():
        assert scenario_files.parse(scenario_write.dump(scenario), Path(f"{name}.yaml")) == scenario


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    made = generate.scenarios(Request(7, 3))
    scenario_write.write(made[:2], tmp_path)
    scenario_write.write(made[:2], tmp_path)  # the same files again are fine
    (tmp_path / "generated-7-002.yaml").write_text("mine\n")
    with pytest.raises(errors.InvalidInput, match=r"generated-7-002.yaml: expected none or the same file"):
        scenario_write.write(made, tmp_path)
    assert not (tmp_path / "generated-7-003.yaml").exists()


# -- as a user types it -----------------------------------------------------------------------------


def run(*arguments: str) -> Any:
    return CliRunner().invoke(commands.scenarios, [*arguments])


def test_generated_files_are_valid(tmp_path: Path) -> None:
    folder = tmp_path / "incidents"
    done = run("generate", "--seed", "7", "--count", "12", "--out", str(folder), "--json")
    assert done.exit_code == 0, done.output
    listed = json.loads(done.stdout)
    assert sorted(entry["file"] for entry in listed) == sorted(map(str, folder.iterdir()))
    done = run("validate", str(folder))
    assert done.exit_code == 0, done.output
    assert "12 scenarios are fine" in done.stdout


def test_without_a_folder_the_files_are_printed() -> None:
    done = run("generate", "--seed", "7", "--count", "3", "--mechanism", "service-deleted", "--no-decoys")
    documents = list(yaml.safe_load_all(done.stdout))
    assert [document["faults"][0]["mechanism"] for document in documents] == ["service-deleted"] * 3


def test_a_count_beyond_the_space_is_refused() -> None:
    done = run("generate", "--seed", "7", "--count", "9999", "--tag", "locking")
    assert isinstance(done.exception, errors.InvalidInput)
    assert "expected at most 7" in str(done.exception)


def test_the_families_are_listed() -> None:
    listed = json.loads(run("families", "-o", "json").stdout)
    assert sum(entry["incidents"] for entry in listed["families"]) == listed["incidents"] >= 1000
    text = run("families").stdout
    assert f"{listed['incidents']} distinct incidents" in text
    assert f"{listed['incidentsOfTwoFaults']} of two independent faults" in text
    assert listed["rule"] in text


def test_the_documentation_holds_the_table_and_the_numbers() -> None:
    page = (lite.ROOT / "docs/families.md").read_text()
    everything = table.choose(Wanted(unsupported=True, cluster_wide=True))
    assert command.markdown(everything) in page
    usual = table.sizes(table.choose(Wanted()))
    assert f"**{usual.single:,} distinct incidents**" in page
    assert f"{usual.double:,} of two independent faults" in page
    assert f"{table.sizes(everything).single:,} in all" in page
