"""What is done to the requests and to the names of a process: HTTPChaos, DNSChaos."""

import json
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.faults import template
from reprise.faults.chaos_experiment import Lasting, calls_are_slow, calls_fail, duration_problems, inject
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed, Requirement

_TARGETS = frozenset({"Deployment"})
_TPROXY = frozenset({Requirement.CHAOS_MESH, Requirement.TPROXY})
_CHAOS_DNS = frozenset({Requirement.CHAOS_MESH, Requirement.CHAOS_DNS})


# -- http-chaos-* -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AbortParameters(Lasting):
    """port: on which requests come in; by default the container's only one. path, method: of the requests
    that are hit, all by default; `*` stands for anything."""

    port: int | None = None
    path: str = "*"
    method: str | None = None
    container: str | None = None

    def requests(self, deployment: Json) -> Json:
        """Which requests, as an experiment says it."""
        found = {"target": "Request", "port": self.port or self._only_port(deployment), "path": self.path}
        return found | ({"method": self.method} if self.method else {})

    def _only_port(self, deployment: Json) -> int:
        container = template.container_name(deployment, self.container)
        listed = paths.get(deployment, (*template.container_path(container), "ports"))
        ports = [] if listed is paths.ABSENT else [int(entry["containerPort"]) for entry in listed]
        if len(ports) != 1:
            raise errors.InvalidInput(
                f"params.port: expected one, because Deployment/{deployment['metadata']['name']} names "
                f"{len(ports)} ports: {', '.join(map(str, ports)) or 'none'}"
            )
        return ports[0]


def _plan_abort(target: str, params: AbortParameters, seed: int, observed: Observed) -> Injection:
    spec = {**params.requests(observed.get("Deployment", target)), "abort": True}
    return inject(HTTP_ABORT.name, "HTTPChaos", target, params, seed, observed, spec)


HTTP_ABORT = Mechanism(
    name="http-chaos-abort",
    summary="The connections of requests that reach a Deployment are cut.",
    parameters=AbortParameters,
    targets=_TARGETS,
    plan=_plan_abort,
    symptoms=calls_fail,
    requires=_TPROXY,
)


@dataclass(frozen=True, kw_only=True)
class HttpDelayParameters(AbortParameters):
    """delay: by how much requests are late; else as http-chaos-abort."""

    delay: str = "3s"

    def problems(self) -> list[str]:
        return super().problems() + duration_problems("delay", self.delay)


def _plan_http_delay(target: str, params: HttpDelayParameters, seed: int, observed: Observed) -> Injection:
    spec = {**params.requests(observed.get("Deployment", target)), "delay": params.delay}
    return inject(HTTP_DELAY.name, "HTTPChaos", target, params, seed, observed, spec)


HTTP_DELAY = Mechanism(
    name="http-chaos-delay",
    summary="Requests reach a Deployment late.",
    parameters=HttpDelayParameters,
    targets=_TARGETS,
    plan=_plan_http_delay,
    symptoms=calls_are_slow,
    requires=_TPROXY,
)


@dataclass(frozen=True, kw_only=True)
class PatchParameters(AbortParameters):
    """body: JSON that is merged into the requests' bodies; else as http-chaos-abort."""

    body: str

    def problems(self) -> list[str]:
        found = super().problems()
        try:
            merged = json.loads(self.body)
        except ValueError:
            merged = None
        if not isinstance(merged, dict):
            found.append(f"body: expected a JSON object, found {self.body!r:.60}")
        return found


def _plan_patch(target: str, params: PatchParameters, seed: int, observed: Observed) -> Injection:
    patch = {"body": {"type": "JSON", "value": params.body}}
    spec = {**params.requests(observed.get("Deployment", target)), "patch": patch}
    return inject(HTTP_PATCH.name, "HTTPChaos", target, params, seed, observed, spec)


HTTP_PATCH = Mechanism(
    name="http-chaos-patch",
    summary="The bodies of requests that reach a Deployment are changed.",
    parameters=PatchParameters,
    targets=_TARGETS,
    plan=_plan_patch,
    symptoms=calls_fail,
    requires=_TPROXY,
)


# -- dns-chaos-* ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DnsParameters(Lasting):
    """pattern: of the names that are hit, all by default; `?` is any character, `*` at the end anything."""

    pattern: str | None = None
    container: str | None = None

    def problems(self) -> list[str]:
        found = super().problems()
        if self.pattern is not None and "*" in self.pattern[:-1]:
            found.append(f"pattern: expected `*` at the end only, found {self.pattern!r}")
        return found


def _dns(action: str, summary: str) -> Mechanism[DnsParameters]:
    name = f"dns-chaos-{action}"

    def plan(target: str, params: DnsParameters, seed: int, observed: Observed) -> Injection:
        container = template.container_name(observed.get("Deployment", target), params.container)
        patterns = {"patterns": [params.pattern]} if params.pattern else {}
        spec = {"action": action, "containerNames": [container], **patterns}
        return inject(name, "DNSChaos", target, params, seed, observed, spec)

    return Mechanism(
        name=name,
        summary=summary,
        parameters=DnsParameters,
        targets=_TARGETS,
        plan=plan,
        symptoms=calls_fail,
        requires=_CHAOS_DNS,
    )


DNS_ERROR = _dns("error", "The names that a Deployment looks up are answered with an error.")
DNS_RANDOM = _dns("random", "The names that a Deployment looks up are answered with any address.")

MECHANISMS = (DNS_ERROR, DNS_RANDOM, HTTP_ABORT, HTTP_DELAY, HTTP_PATCH)
