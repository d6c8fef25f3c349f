"""Faults in Valkey: a password that its clients do not know, memory that does not suffice."""

import re
from dataclasses import dataclass

from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import seeded, server, template
from reprise.faults.mechanism import Injection, Mechanism, Observed

_PORT = 6379
_MEMORY = re.compile(r"^[1-9]\d*(b|kb|mb|gb)?$")
_PASSWORD = re.compile(r"^[A-Za-z0-9_.~-]{4,64}$")


# -- valkey-password-changed ------------------------------------------------------------------------


@dataclass(frozen=True)
class PasswordParameters:
    """password: what Valkey asks for from now on, which no client sends; by default one made by the seed."""

    password: str | None = None

    def problems(self) -> list[str]:
        if self.password is not None and not _PASSWORD.match(self.password):
            return ["password: expected 4 to 64 letters, digits and any of _.~-, found others"]
        return []


def _plan_password(target: str, params: PasswordParameters, seed: int, observed: Observed) -> Injection:
    container = server.serves(observed.get("Deployment", target), _PORT, "Valkey")
    rng = seeded.chooser(seed, PASSWORD.name, target)
    password = params.password or f"{rng.getrandbits(80):020x}"
    change = server.with_arguments(container, ["--requirepass", password])
    return template.template_fault(observed.ref("Deployment", target), observed, change)


def _failing(target: str, params: object) -> tuple[Symptom, ...]:
    return (AlertSymptom("operations of its clients fail", alert="DatabaseOperationsFailing"),)


PASSWORD = Mechanism(
    name="valkey-password-changed",
    summary="Valkey asks for a password that its clients were not told, and refuses their every command.",
    parameters=PasswordParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_password,
    symptoms=_failing,
)


# -- valkey-out-of-memory ---------------------------------------------------------------------------


@dataclass(frozen=True)
class MemoryParameters:
    """maxmemory: what Valkey may use, as it writes it (`512kb`): less than the 900 kB that an empty one uses
    makes it refuse every write."""

    maxmemory: str = "512kb"

    def problems(self) -> list[str]:
        if not _MEMORY.match(self.maxmemory):
            return [f"maxmemory: expected a size such as 512kb or 1mb, found {self.maxmemory!r}"]
        return []


def _plan_memory(target: str, params: MemoryParameters, seed: int, observed: Observed) -> Injection:
    container = server.serves(observed.get("Deployment", target), _PORT, "Valkey")
    change = server.with_arguments(
        container, ["--maxmemory", params.maxmemory, "--maxmemory-policy", "noeviction"]
    )
    return template.template_fault(observed.ref("Deployment", target), observed, change)


MEMORY = Mechanism(
    name="valkey-out-of-memory",
    summary="Valkey may use less memory than it needs and evicts nothing: it refuses writes and still reads.",
    parameters=MemoryParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_memory,
    symptoms=_failing,
)

MECHANISMS = (MEMORY, PASSWORD)
