"""Faults of PostgreSQL itself: who may log in, and how many sessions it grants."""

import re
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import RecyclePods, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import seeded, server, template
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

PORT = 5432
_SCRIPTS = "/docker-entrypoint-initdb.d"
_ROLE = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
_PASSWORD = re.compile(r"^[A-Za-z0-9_.~-]{4,64}$")
# Three of the sessions are kept for superusers, so that this leaves one.
_FEWEST_CONNECTIONS = 4


def scripts(deployment: Json, observed: Observed) -> dict[tuple[ObjectRef, str], str]:
    """The texts from which the database is made at its start: by ConfigMap and key."""
    container = server.serves(deployment, PORT, "PostgreSQL")
    mounted = {
        mount["name"]
        for mount in container.get("volumeMounts") or ()
        if mount["mountPath"].rstrip("/").startswith(_SCRIPTS)
    }
    names = [
        volume["configMap"]["name"]
        for volume in deployment["spec"]["template"]["spec"].get("volumes") or ()
        if volume["name"] in mounted and "configMap" in volume
    ]
    return {
        (observed.ref("ConfigMap", name), key): text
        for name in names
        for key, text in sorted((observed.get("ConfigMap", name).get("data") or {}).items())
    }


# -- postgresql-credentials-rotated -----------------------------------------------------------------


@dataclass(frozen=True)
class CredentialsParameters:
    """role: whose password is another one; by default the only role that the script of the database makes.
    password: the new one; by default one made by the seed."""

    role: str | None = None
    password: str | None = None

    def problems(self) -> list[str]:
        found = []
        if self.role is not None and not _ROLE.match(self.role):
            found.append(f"role: expected the name of a role, found {self.role!r}")
        if self.password is not None and not _PASSWORD.match(self.password):
            found.append("password: expected 4 to 64 letters, digits and any of _.~-, found others")
        return found


_LOGIN = re.compile(
    r"(?P<before>\b(?:CREATE|ALTER)\s+(?:ROLE|USER)\s+(?P<role>[a-z_][a-z0-9_]*)\b[^;']*?\bPASSWORD\s+')"
    r"(?P<password>[^']*)(?=')",
    re.IGNORECASE,
)


def _plan_credentials(target: str, params: CredentialsParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    found = [
        (ref, key, match)
        for (ref, key), text in scripts(deployment, observed).items()
        for match in _LOGIN.finditer(text)
    ]
    if not found:
        raise errors.Unsupported(
            f"expected Deployment/{target} to make its roles from a ConfigMap at {_SCRIPTS}, found no "
            "CREATE ROLE with a password there"
        )
    roles = sorted({match["role"] for _, _, match in found})
    role = params.role or (roles[0] if len(roles) == 1 else None)
    if role not in roles:
        raise errors.InvalidInput(f"params.role: expected one of: {', '.join(roles)}; found {params.role!r}")
    # The last one counts.
    ref, key, match = [entry for entry in found if entry[2]["role"] == role][-1]
    rng = seeded.chooser(seed, CREDENTIALS.name, target)
    password = params.password or f"{rng.getrandbits(80):020x}"
    if password == match["password"]:
        raise errors.InvalidInput("params.password: expected another than the present one, found the same")
    text = match.string
    changed = text[: match.end("before")] + password + text[match.end("password") :]
    workload = observed.ref("Deployment", target)
    steps = (RecyclePods(workload, after=ref), WaitAvailable(workload))
    return Injection(
        mutations=(Patch(ref, (SetField(("data", key), changed),)),),
        causes=(Cause(ref),),
        settle=steps,
        recover=steps,
    )


def operations_fail(target: str, params: object) -> tuple[Symptom, ...]:
    """What every client shows."""
    return (AlertSymptom("operations of its clients fail", alert="DatabaseOperationsFailing"),)


def no_connections(target: str, params: object) -> tuple[Symptom, ...]:
    """What clients show that are refused for there being too many."""
    return (AlertSymptom("no connection is left", alert="DatabaseConnectionsExhausted"),)


CREDENTIALS = Mechanism(
    name="postgresql-credentials-rotated",
    summary=(
        "The password of a role is changed in the ConfigMap from which the database is made, and the "
        "services that log in with it keep the old one. Needs a database that is made anew with its pod."
    ),
    parameters=CredentialsParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_credentials,
    symptoms=operations_fail,
    composes=True,
)


# -- postgresql-max-connections-low -----------------------------------------------------------------


@dataclass(frozen=True)
class ConnectionsParameters:
    """max_connections: how many sessions the server grants; three of them are kept for superusers."""

    max_connections: int = _FEWEST_CONNECTIONS

    def problems(self) -> list[str]:
        if not _FEWEST_CONNECTIONS <= self.max_connections <= 100:
            return [
                f"max_connections: expected {_FEWEST_CONNECTIONS} to 100, found {self.max_connections}: "
                "three are kept for superusers"
            ]
        return []


def _plan_connections(target: str, params: ConnectionsParameters, seed: int, observed: Observed) -> Injection:
    container = server.serves(observed.get("Deployment", target), PORT, "PostgreSQL")
    change = server.with_arguments(container, ["-c", f"max_connections={params.max_connections}"])
    return template.template_fault(observed.ref("Deployment", target), observed, change)


CONNECTIONS = Mechanism(
    name="postgresql-max-connections-low",
    summary="The database grants fewer sessions than its clients need, and refuses the others.",
    parameters=ConnectionsParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_connections,
    symptoms=no_connections,
)

MECHANISMS = (CONNECTIONS, CREDENTIALS)
