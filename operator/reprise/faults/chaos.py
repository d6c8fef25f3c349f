"""Every mechanism that is done by Chaos Mesh."""

from typing import Any

from reprise.faults import chaos_memory, chaos_network, chaos_pod, chaos_process, chaos_requests
from reprise.faults.mechanism import Mechanism

MECHANISMS: tuple[Mechanism[Any], ...] = (
    *chaos_pod.MECHANISMS,
    *chaos_memory.MECHANISMS,
    *chaos_network.MECHANISMS,
    *chaos_requests.MECHANISMS,
    *chaos_process.MECHANISMS,
)
