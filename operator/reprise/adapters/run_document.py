"""What only the operator may know of a run, as plain JSON data: what must be found nowhere else."""

from typing import Any

from reprise.adapters import scenario_write
from reprise.domain import plan, scenario, truth
from reprise.domain.run import Run


def document(run: Run, wanted: scenario.Scenario, planned: plan.Plan, true: truth.Truth) -> dict[str, Any]:
    """All of `snapshot.private.KEYS` but `injector`, which is read from the cluster."""
    steps = plan.to_json(planned)
    return {
        "run": {"namespace": run.ref.namespace, "name": run.ref.name, "uid": run.ref.uid},
        "scenario": scenario_write.document(wanted),
        "truth": truth.to_json(true)["rootCauses"],
        "plan": [*steps["mutations"], *steps["settle"], *steps["recover"]],
        "mechanisms": sorted({fault.mechanism for fault in (*wanted.faults, *wanted.decoys)}),
    }
