"""CoreDNS is configured so that the name of one Service leads nowhere."""

import ipaddress
import re
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import RecyclePods, RecycleUsers, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import consumers, seeded
from reprise.faults.mechanism import SYSTEM_NAMESPACE, Cause, Injection, Mechanism, Observed

_NAME = "coredns"
_KEY = "Corefile"
_ROOT_BLOCK = re.compile(r"^\.(?::53)?[ \t]*\{[ \t]*\n", re.MULTILINE)
_ZONE = re.compile(r"^[ \t]*kubernetes[ \t]+([a-z0-9.-]+)", re.MULTILINE)
_WAYS = ("rewrite", "template", "forward")
# Addresses of examples in documentation, which no network routes (RFC 5737).
_RESOLVERS = ("192.0.2.53", "198.51.100.53", "203.0.113.53")


@dataclass(frozen=True)
class CorefileParameters:
    """how: `rewrite` (the name becomes that of a Service which does not exist), `template` (the name is said
    not to exist) or `forward` (the name is asked of a resolver that does not answer).
    resolver: for `forward`, whom to ask; an address that leads nowhere by default."""

    how: str = "rewrite"
    resolver: str | None = None

    def problems(self) -> list[str]:
        found = []
        if self.how not in _WAYS:
            found.append(f"how: expected one of: {', '.join(_WAYS)}; found {self.how!r}")
        if self.resolver is not None:
            if self.how != "forward":
                found.append(f"resolver: expected none for {self.how}, found {self.resolver!r}")
            try:
                ipaddress.ip_address(self.resolver)
            except ValueError:
                found.append(f"resolver: expected an IP address, found {self.resolver!r}")
        return found


def _plan(target: str, params: CorefileParameters, seed: int, observed: Observed) -> Injection:
    observed.get("Service", target)
    ref, servers = observed.system_ref("ConfigMap", _NAME), observed.system_ref("Deployment", _NAME)
    try:
        corefile = str((observed.find(ref).get("data") or {}).get(_KEY, ""))
        observed.find(servers)
    except errors.NotFound as exc:
        raise errors.Unsupported(f"expected CoreDNS in {SYSTEM_NAMESPACE} to be configured: {exc}") from exc
    root, zone = _ROOT_BLOCK.search(corefile), _ZONE.search(corefile)
    if not root or not zone:
        raise errors.Unsupported(
            f"expected {ref} to hold a Corefile with a block for the root zone that serves the cluster's "
            "names, found another"
        )
    rng = seeded.chooser(seed, COREFILE.name, target)
    suffix = f"{observed.namespace}.svc.{zone[1]}"
    name = f"{target}.{suffix}"
    match params.how:
        case "rewrite":
            other = seeded.pick(
                rng,
                [f"{target}-v2", f"{target}-next", f"{target}-primary", f"{target}-internal"],
                observed.all("Service"),
                "name that no Service has",
            )
            text = _within(corefile, root.end(), f"    rewrite name {name} {other}.{suffix}\n")
        case "template":
            text = _within(
                corefile, root.end(), f"    template ANY ANY {name} {{\n       rcode NXDOMAIN\n    }}\n"
            )
        case _:
            resolver = params.resolver or rng.choice(_RESOLVERS)
            ended = corefile if corefile.endswith("\n") else corefile + "\n"
            text = f"{ended}{name}:53 {{\n    errors\n    forward . {resolver}\n}}\n"
    # Everybody's names are served all the while: only this one is to be missed.
    steps = (RecyclePods(servers, after=ref, one_by_one=True), WaitAvailable(servers))
    # NB: gRPC goes on with the addresses that it has when a name is no longer resolved, so whoever calls the
    # Service would never notice.
    callers = consumers.callers(target, observed)
    return Injection(
        mutations=(Patch(ref, (SetField(("data", _KEY), text),)),),
        causes=(Cause(ref),),
        settle=(*steps, *(RecycleUsers(caller, servers, after=ref) for caller in callers)),
        recover=steps,
    )


def _within(corefile: str, at: int, lines: str) -> str:
    return corefile[:at] + lines + corefile[at:]


def _symptoms(target: str, params: CorefileParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("callers fail", alert="HighRequestErrorRate"),)


COREFILE = Mechanism(
    name="coredns-misconfigured",
    summary="The cluster's DNS is configured so that the name of one Service is not resolved.",
    parameters=CorefileParameters,
    targets=frozenset({"Service"}),
    plan=_plan,
    symptoms=_symptoms,
    cluster_wide=True,
    composes=True,
)

MECHANISMS = (COREFILE,)
