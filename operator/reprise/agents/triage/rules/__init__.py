"""The rules: each looks for one way in which Kubernetes or an application is commonly broken.

`ALL` is in the order in which they speak; the order does not matter to the result.
"""

from collections.abc import Callable, Iterable

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.rules import (
    changes,
    environment,
    errors,
    flags,
    nodes,
    pods,
    policies,
    quotas,
    services,
    workloads,
)
from reprise.agents.triage.world import World

Rule = Callable[[World], Iterable[Hypothesis]]
ALL: tuple[Rule, ...] = (
    workloads.scaled_to_zero,
    pods.image_cannot_be_pulled,
    pods.container_cannot_start,
    pods.crashes,
    pods.cannot_be_scheduled,
    pods.not_ready,
    quotas.denied,
    services.selects_nothing,
    services.wrong_target_port,
    policies.denies_callers,
    environment.points_nowhere,
    flags.switched,
    changes.changed_template,
    nodes.not_ready,
    errors.origin_of_errors,
)
