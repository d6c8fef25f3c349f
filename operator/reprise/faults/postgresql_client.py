"""Faults that a further client of PostgreSQL brings: it holds sessions, or a lock, or is slow in one.

The client is a Deployment of its own, from the image of the database: that has psql, and is on the nodes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import Create
from reprise.domain.plan import WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import postgresql, seeded, server, service
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

_NAME = re.compile(r"^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$")
_TABLE = re.compile(r'^[a-z_][a-z0-9_]*(\.([a-z_][a-z0-9_]*|"[a-z_][a-z0-9_]*"))?$')
_MADE = re.compile(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"]+)", re.IGNORECASE)
# How psql finds the server, and where the server's own pod says it.
_LOGIN = {"PGUSER": "POSTGRES_USER", "PGPASSWORD": "POSTGRES_PASSWORD", "PGDATABASE": "POSTGRES_DB"}

# NB: a shell that is the first process of its container dies of no signal that it does not trap.
_SESSIONS = """\
trap 'exit 0' TERM
mkfifo /tmp/statements
exec 3<>/tmp/statements
left=$(psql -Atc 'SHOW max_connections') || exit 1
while [ "$left" -gt 0 ]; do
  (until psql -q <&3 >/dev/null 2>&1; do sleep 5; done) &
  left=$((left - 1))
  sleep 0.1
done
wait
"""
_LOCK = """\
trap 'exit 0' TERM
mkfifo /tmp/statements
exec 3<>/tmp/statements
printf '%s;\\n' BEGIN 'LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE' >&3
psql -q -v ON_ERROR_STOP=1 <&3 &
wait $!
exit 1
"""
_SLOW = """\
trap 'exit 0' TERM
while :; do
  psql -q -At -c BEGIN -c 'LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE' \\
    -c 'SELECT count(*), pg_sleep({seconds}) FROM {table}' -c COMMIT >/dev/null &
  wait $! || sleep 1
done
"""


def _name_problems(name: str | None) -> list[str]:
    if name is not None and not _NAME.match(name):
        return [f"name: expected the name of a Deployment, found {name!r}"]
    return []


def _table_problems(table: str) -> list[str]:
    return [] if _TABLE.match(table) else [f"table: expected schema.table, found {table!r}"]


def _client(target: str, name: str, script: str, memory: str, observed: Observed) -> Injection:
    """A Deployment that runs the script as the superuser of the target's database."""
    deployment = observed.get("Deployment", target)
    container = server.serves(deployment, postgresql.PORT, "PostgreSQL")
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": name}
    pod = deployment["spec"]["template"]["spec"]
    ref = observed.ref("Deployment", name)
    main: Json = {
        "name": name,
        "image": container["image"],
        "command": ["/bin/sh", "-c", script],
        "env": [{"name": "PGHOST", "value": _host(deployment, observed)}, *_login(deployment, container)],
        "resources": {"limits": {"memory": memory}},
    }
    if "imagePullPolicy" in container:
        main["imagePullPolicy"] = container["imagePullPolicy"]
    spec: Json = {"containers": [main]}
    if "serviceAccountName" in pod:
        spec["serviceAccountName"] = pod["serviceAccountName"]
    if "imagePullSecrets" in pod:
        spec["imagePullSecrets"] = pod["imagePullSecrets"]
    manifest: Json = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": name, "namespace": ref.namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    return Injection(
        mutations=(Create(manifest),), causes=(Cause(ref, owned=True),), settle=(WaitAvailable(ref),)
    )


def _host(deployment: Json, observed: Observed) -> str:
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    for name, found in sorted(observed.all("Service").items()):
        selector = found["spec"].get("selector") or {}
        ports = {port["port"] for port in found["spec"].get("ports") or ()}
        if selector and service.matches(selector, labels) and postgresql.PORT in ports:
            return name
    raise errors.Unsupported(
        f"expected a Service with port {postgresql.PORT} for Deployment/{deployment['metadata']['name']}, "
        "found none: a client would not reach it"
    )


def _login(deployment: Json, container: Json) -> list[Json]:
    """The superuser's login as the server's own pod states it, with the literal or the reference it has."""
    stated = {entry["name"]: entry for entry in container.get("env") or ()}
    if lacking := sorted(name for name in _LOGIN.values() if name not in stated):
        raise errors.Unsupported(
            f"expected Deployment/{deployment['metadata']['name']} to state its login, found no variable "
            f"{', '.join(lacking)}"
        )
    return [{**stated[theirs], "name": ours} for ours, theirs in _LOGIN.items()]


def _table(target: str, table: str, observed: Observed) -> None:
    """Raise InvalidInput when the scripts of the database make tables, and this is none of them."""
    texts = postgresql.scripts(observed.get("Deployment", target), observed).values()
    known = sorted({name for text in texts for name in _MADE.findall(text)})
    if known and table not in known:
        raise errors.InvalidInput(f"params.table: expected one of: {', '.join(known)}; found {table!r}")


def _named(
    given: str | None, names: Sequence[str], mechanism: str, target: str, seed: int, observed: Observed
) -> str:
    rng = seeded.chooser(seed, mechanism, target)
    name = given or seeded.pick(rng, names, observed.all("Deployment"), "name for a Deployment")
    if name in observed.all("Deployment"):
        raise errors.InvalidInput(f"params.name: expected the name of no Deployment, found {name!r}")
    return name


# -- postgresql-connections-exhausted ---------------------------------------------------------------


@dataclass(frozen=True)
class SessionsParameters:
    """name: the client's; a plausible one by default."""

    name: str | None = None

    def problems(self) -> list[str]:
        return _name_problems(self.name)


def _plan_sessions(target: str, params: SessionsParameters, seed: int, observed: Observed) -> Injection:
    names = ("report-worker", "sales-report", "analytics-worker", "order-export")
    name = _named(params.name, names, SESSIONS.name, target, seed, observed)
    # Each session is a process of its own, of which nearly 2 MB are not shared.
    return _client(target, name, _SESSIONS, "300Mi", observed)


SESSIONS = Mechanism(
    name="postgresql-connections-exhausted",
    summary="A new client of the database opens sessions and keeps them, until none is left for the others.",
    parameters=SessionsParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_sessions,
    symptoms=postgresql.no_connections,
)


# -- postgresql-lock-held ---------------------------------------------------------------------------


@dataclass(frozen=True)
class LockParameters:
    """table: what nobody else may read. name: the client's; a plausible one by default."""

    table: str = "catalog.products"
    name: str | None = None

    def problems(self) -> list[str]:
        return _name_problems(self.name) + _table_problems(self.table)


def _plan_lock(target: str, params: LockParameters, seed: int, observed: Observed) -> Injection:
    _table(target, params.table, observed)
    names = ("schema-migration", "db-migration", "table-maintenance", "catalog-import")
    name = _named(params.name, names, LOCK.name, target, seed, observed)
    return _client(target, name, _LOCK.format(table=params.table), "64Mi", observed)


LOCK = Mechanism(
    name="postgresql-lock-held",
    summary="A new client of the database locks a table in a transaction that it never ends.",
    parameters=LockParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_lock,
    symptoms=postgresql.operations_fail,
)


# -- postgresql-slow-query --------------------------------------------------------------------------


@dataclass(frozen=True)
class SlowQueryParameters:
    """table: what is read slowly. milliseconds: how long each of the queries takes, 1600 to 10000; the others
    wait for it, and fail where they have less patience. name: the client's; a plausible one by default."""

    table: str = "catalog.products"
    milliseconds: int = 2200
    name: str | None = None

    def problems(self) -> list[str]:
        found = _name_problems(self.name) + _table_problems(self.table)
        if not 1600 <= self.milliseconds <= 10_000:
            found.append(f"milliseconds: expected 1600 to 10000, found {self.milliseconds}")
        return found


def _plan_slow(target: str, params: SlowQueryParameters, seed: int, observed: Observed) -> Injection:
    _table(target, params.table, observed)
    names = ("catalog-report", "price-audit", "stock-report", "search-indexer")
    name = _named(params.name, names, SLOW_QUERY.name, target, seed, observed)
    script = _SLOW.format(table=params.table, seconds=f"{params.milliseconds / 1000:g}")
    return _client(target, name, script, "64Mi", observed)


def _slow(target: str, params: SlowQueryParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("those who read the table are slow", alert="HighRequestLatency"),)


SLOW_QUERY = Mechanism(
    name="postgresql-slow-query",
    summary="A new client of the database runs slow queries one after the other, each in a transaction that "
    "locks what it reads.",
    parameters=SlowQueryParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_slow,
    symptoms=_slow,
)

MECHANISMS = (LOCK, SESSIONS, SLOW_QUERY)
