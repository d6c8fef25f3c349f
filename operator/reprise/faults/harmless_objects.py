"""Decoys beside a workload: new objects that look suspicious and keep nothing from working."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reprise.domain.mutation import Create
from reprise.faults import created, harmless, seeded
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed

_DEPLOYMENT = frozenset({"Deployment"})
_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


@dataclass(frozen=True)
class NameParameters:
    """name: the new object's; a plausible one by default."""

    name: str | None = None

    def problems(self) -> list[str]:
        if self.name is not None and not _NAME.match(self.name):
            return [f"name: expected an object's name, found {self.name!r}"]
        return []


def _created(kind: str, name: str, content: Json, observed: Observed) -> Injection:
    ref = observed.ref(kind, name)
    manifest: Json = {
        **created.head(ref),
        **content,
    }
    return Injection(mutations=(Create(manifest),), causes=())


def _selector(target: str, observed: Observed) -> Json:
    selector: Json = observed.get("Deployment", target)["spec"]["selector"]
    return {"matchLabels": dict(selector["matchLabels"])}


def _pick(
    params: NameParameters,
    names: Sequence[str],
    kind: str,
    mechanism: str,
    observed: Observed,
    seed: int,
    target: str,
) -> str:
    rng = seeded.chooser(seed, mechanism, target)
    return params.name or seeded.pick(rng, names, observed.all(kind), f"name for a {kind}")


def _plan_policy(target: str, params: NameParameters, seed: int, observed: Observed) -> Injection:
    selector = _selector(target, observed)
    names = (f"{target}-network", f"{target}-ingress", f"{target}-policy", f"{target}-traffic")
    name = _pick(params, names, "NetworkPolicy", POLICY.name, observed, seed, target)
    # NB: an ingress rule with neither `from` nor `ports` allows everything.
    spec = {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [{}]}
    return _created("NetworkPolicy", name, {"spec": spec}, observed)


POLICY = Mechanism(
    name="network-policy-permissive",
    summary="A NetworkPolicy selects a workload and lets everybody in.",
    parameters=NameParameters,
    targets=_DEPLOYMENT,
    plan=_plan_policy,
    symptoms=harmless.nothing,
    harmless=True,
)


def _plan_quota(target: str, params: NameParameters, seed: int, observed: Observed) -> Injection:
    observed.get("Deployment", target)
    names = ("compute-resources", "namespace-limits", "team-quota", "object-counts")
    name = _pick(params, names, "ResourceQuota", QUOTA.name, observed, seed, target)
    # Counts only: a quota of memory or CPU refuses every pod that states none.
    hard = {"pods": str(10 * max(20, len(observed.all("Pod")))), "services": "200", "configmaps": "200"}
    return _created("ResourceQuota", name, {"spec": {"hard": hard}}, observed)


QUOTA = Mechanism(
    name="resource-quota-generous",
    summary="The namespace gets a ResourceQuota that is many times what it uses.",
    parameters=NameParameters,
    targets=_DEPLOYMENT,
    plan=_plan_quota,
    symptoms=harmless.nothing,
    harmless=True,
)


def _plan_budget(target: str, params: NameParameters, seed: int, observed: Observed) -> Injection:
    selector = _selector(target, observed)
    names = (f"{target}-pdb", f"{target}-budget", target)
    name = _pick(params, names, "PodDisruptionBudget", BUDGET.name, observed, seed, target)
    return _created(
        "PodDisruptionBudget", name, {"spec": {"maxUnavailable": 1, "selector": selector}}, observed
    )


BUDGET = Mechanism(
    name="pod-disruption-budget-permissive",
    summary="A workload gets a PodDisruptionBudget under which its pods may be evicted one by one.",
    parameters=NameParameters,
    targets=_DEPLOYMENT,
    plan=_plan_budget,
    symptoms=harmless.nothing,
    harmless=True,
)


def _plan_config_map(target: str, params: NameParameters, seed: int, observed: Observed) -> Injection:
    observed.get("Deployment", target)
    names = (f"{target}-settings", f"{target}-config", f"{target}-env", f"{target}-options")
    name = _pick(params, names, "ConfigMap", CONFIG_MAP.name, observed, seed, target)
    rng = seeded.chooser(seed, f"{CONFIG_MAP.name}/data", target)
    data = {
        "cache_ttl_seconds": str(rng.choice((30, 60, 300))),
        "log_level": rng.choice(("info", "debug")),
        "max_retries": str(rng.choice((1, 2, 3))),
    }
    return _created("ConfigMap", name, {"data": data}, observed)


CONFIG_MAP = Mechanism(
    name="config-map-added",
    summary="A ConfigMap named after a workload appears that nobody reads.",
    parameters=NameParameters,
    targets=_DEPLOYMENT,
    plan=_plan_config_map,
    symptoms=harmless.nothing,
    harmless=True,
)

MECHANISMS = (BUDGET, CONFIG_MAP, POLICY, QUOTA)
