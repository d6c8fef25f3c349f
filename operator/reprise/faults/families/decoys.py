"""Decoys of generated incidents: harmless changes to workloads that have nothing to do with them."""

import random
from collections.abc import Collection

from reprise.domain.scenario import Fault
from reprise.faults.families import shop

# NB: none that replaces pods: these would alarm by themselves where the incident delays their start.
_KINDS = (
    "config-map-added",
    "label-changed",
    "network-policy-permissive",
    "pod-disruption-budget-permissive",
    "resource-quota-generous",
)
_SHARE = 1 / 3
_MOST = 3


def pick(rng: random.Random, guilty: Collection[str]) -> tuple[Fault, ...]:
    """For a third of the incidents one to three decoys, each of another kind and on another workload."""
    if rng.random() >= _SHARE:
        return ()
    number = rng.randint(1, _MOST)
    workloads = rng.sample([name for name in shop.WORKLOADS if name not in guilty], number)
    return tuple(
        Fault(kind, "Deployment", name)
        for kind, name in zip(rng.sample(_KINDS, number), workloads, strict=True)
    )
