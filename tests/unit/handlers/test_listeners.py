"""What is told about a run: Events, metrics, traces. None of it is the answer; a restart repeats none."""

import dataclasses
import datetime as dt
import uuid

from tests.fakes.kube import FakeKube
from tests.unit.handlers.world import REF

from reprise.domain import run, run_status
from reprise.domain.run_status import Phase, RunStatus
from reprise.handlers import events, tracing
from reprise.handlers.metrics import Metrics

BEGAN = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
ENDED = BEGAN + dt.timedelta(seconds=40)


def step(left: Phase, entered: Phase) -> tuple[run.Run, run.Run]:
    """A run before and after a phase change, 40 s apart."""
    status = RunStatus(started_at=BEGAN).enter(left, BEGAN)
    before = run.Run(REF, BEGAN, 1, False, True, run.RunSpec(scenario="s"), status)
    after_status = dataclasses.replace(status.enter(entered, ENDED), reason="Why", message="Service/secret")
    return before, dataclasses.replace(before, status=after_status)


def test_an_event_has_the_reason_and_not_the_message() -> None:
    made = events.event(*step(Phase.BASELINE, Phase.INVALID))
    assert made["type"] == "Warning"
    assert made["reason"] == "Invalid"
    assert made["message"] == "Baseline is over: Why"
    assert made["involvedObject"]["uid"] == REF.uid
    assert "secret" not in repr(made)


async def test_the_same_event_is_said_once() -> None:
    kube = FakeKube()
    change = step(Phase.BASELINE, Phase.INJECTING)
    await events.Events(kube).phase_changed(*change)
    await events.Events(kube).phase_changed(*change)
    assert len(await kube.list_objects("v1", "Event", "default")) == 1


def test_the_trace_is_the_runs_whoever_exports_it() -> None:
    (phase,) = tracing.spans(*step(Phase.BASELINE, Phase.INJECTING))
    (last, root) = tracing.spans(*step(Phase.RECOVERING, Phase.COMPLETED))
    assert phase.context is not None
    assert root.context is not None
    assert phase.context.trace_id == uuid.UUID(REF.uid).int == root.context.trace_id
    assert phase.parent is not None
    assert last.parent is not None
    assert phase.parent.span_id == last.parent.span_id == root.context.span_id
    assert root.parent is None
    assert (phase.name, last.name, root.name) == ("Baseline", "Recovering", "run")
    assert phase.end_time is not None
    assert phase.start_time is not None
    assert phase.end_time - phase.start_time == 40_000_000_000


def test_spans_do_not_say_what_was_changed() -> None:
    for span in tracing.spans(*step(Phase.INJECTING, Phase.INVALID)):
        assert "secret" not in span.to_json()


class Broken:
    def export(self, spans: object) -> object:
        raise OSError("nobody there")


async def test_a_broken_exporter_holds_nothing_up() -> None:
    await tracing.Tracing(Broken()).phase_changed(*step(Phase.BASELINE, Phase.INJECTING))


async def test_metrics_count_phases_injections_recoveries_and_attempts() -> None:
    metrics = Metrics()
    sample = metrics.registry.get_sample_value
    await metrics.phase_changed(*step(Phase.INJECTING, Phase.MANIFESTING))
    await metrics.phase_changed(*step(Phase.INJECTING, Phase.RECOVERING))
    before, after = step(Phase.ATTEMPTING, Phase.RECOVERING)
    scored = run_status.AttemptSummary(1, "a", "u", "Scored", score=1.0)
    after = dataclasses.replace(after, status=dataclasses.replace(after.status, attempts=(scored,)))
    await metrics.phase_changed(before, after)
    await metrics.phase_changed(*step(Phase.RECOVERING, Phase.FAILED))
    metrics.set_runs({Phase.FAILED: 1})
    assert sample("reprise_injections_total", {"outcome": "applied"}) == 1
    assert sample("reprise_injections_total", {"outcome": "failed"}) == 1
    assert sample("reprise_recoveries_total", {"outcome": "failed"}) == 1
    assert sample("reprise_recoveries_total", {"outcome": "recovered"}) == 0
    assert sample("reprise_attempts_total", {"outcome": "Scored"}) == 1
    assert sample("reprise_attempts_total", {"outcome": "InfraFailed"}) == 0
    assert sample("reprise_phase_duration_seconds_sum", {"phase": "Injecting"}) == 80
    assert sample("reprise_runs", {"phase": "Failed"}) == 1
    assert sample("reprise_runs", {"phase": "Pending"}) == 0
