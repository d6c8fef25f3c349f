"""Which scenarios are tried, and when it is no use to go on."""

import pytest

from reprise.adapters import scenario_files
from reprise.domain.proof import Proof, Verdict
from reprise.domain.scenario import Scenario
from reprise.proof import suite

NAMES = (
    "shipping-gone",
    "payment-declined",
    "ads-without-endpoints",
    "orders-topic-not-created",
    "quote-name-gone",
)
WIDE = "payment-nowhere-to-run"
UNQUIET, QUIET, PROVEN, UNSUPPORTED = "unquiet", "failed", "proven", "unsupported"


def tasks(*names: str) -> list[suite.Task]:
    scenarios = scenario_files.load_all(scenario_files.default_directory())
    return [suite.Task(scenarios[name], "d") for name in names]


def proof(scenario: Scenario, how: str) -> Proof:
    verdict = Verdict.FAILED if how == UNQUIET else Verdict(how)
    return Proof(scenario.name, verdict, "", quiet=how in (QUIET, PROVEN))


@pytest.mark.parametrize(
    ("hows", "tried"),
    [
        pytest.param((PROVEN,) * 5, 5, id="all proven"),
        pytest.param((QUIET,) * 5, 5, id="all failed, each for what is wrong with the scenario"),
        pytest.param((UNQUIET, UNQUIET, PROVEN, UNQUIET, UNQUIET), 5, id="two in a row, twice"),
        pytest.param((UNQUIET, UNQUIET, UNQUIET, PROVEN, PROVEN), 3, id="three in a row"),
        pytest.param(
            (UNQUIET, UNQUIET, UNSUPPORTED, UNQUIET, PROVEN), 4, id="unsupported says nothing of the cluster"
        ),
        pytest.param((PROVEN, PROVEN, UNQUIET, UNQUIET, UNQUIET), 5, id="three in a row at the end"),
    ],
)
async def test_it_stops_when_the_application_is_not_quiet(hows: tuple[str, ...], tried: int) -> None:
    how, results = iter(hows), []

    async def prove_one(scenario: Scenario, namespace: str, digest: str) -> Proof:
        return proof(scenario, next(how))

    left_out = await suite.prove(prove_one, tasks(*NAMES), ["otel-demo"], results.append)
    assert [one.scenario for one in results] == list(NAMES[:tried])
    assert [task.scenario.name for task in left_out] == list(NAMES[tried:])


@pytest.mark.parametrize(("how", "tried"), [(PROVEN, [*NAMES[:3], WIDE]), (UNQUIET, [*NAMES[:3]])])
async def test_what_the_whole_cluster_feels_comes_last(how: str, tried: list[str]) -> None:
    results: list[Proof] = []

    async def prove_one(scenario: Scenario, namespace: str, digest: str) -> Proof:
        return proof(scenario, how)

    left_out = await suite.prove(prove_one, tasks(WIDE, *NAMES[:3]), ["otel-demo"], results.append)
    assert [one.scenario for one in results] == tried
    assert [task.scenario.name for task in left_out] == [WIDE] * (4 - len(tried))
