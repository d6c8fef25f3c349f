"""The rules: each looks for one way in which Kubernetes or an application is commonly broken.

`ALL` is in the order in which they speak; the order does not matter to the result.
"""

from collections.abc import Callable, Iterable

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.rules import (
    admission,
    arrivals,
    changes,
    environment,
    errors,
    flags,
    guards,
    names,
    nodes,
    pods,
    policies,
    pressure,
    scheduling,
    services,
    settings,
    workloads,
)
from reprise.agents.triage.world import World

Rule = Callable[[World], Iterable[Hypothesis]]
ALL: tuple[Rule, ...] = (
    workloads.scaled_to_zero,
    pods.image_cannot_be_pulled,
    pods.container_cannot_start,
    pods.crashes,
    pods.ended_again,
    pods.not_ready,
    scheduling.cannot_be_scheduled,
    admission.denied,
    pressure.evicted,
    pressure.short_of,
    guards.autoscaler_at_its_end,
    guards.budget_blocks,
    services.selects_nothing,
    services.wrong_target_port,
    policies.denies_callers,
    environment.points_nowhere,
    names.treated_apart,
    flags.switched,
    settings.read_anew,
    arrivals.new_workload,
    changes.changed_template,
    nodes.not_ready,
    errors.origin_of_errors,
)
