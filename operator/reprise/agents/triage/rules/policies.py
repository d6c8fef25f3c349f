"""NetworkPolicies that keep callers out."""

from collections.abc import Iterator

from reprise.agents.protocol import Hypothesis, Json
from reprise.agents.triage.rules import environment
from reprise.agents.triage.world import World, containers, selects, template, template_labels


def denies_callers(world: World) -> Iterator[Hypothesis]:
    """For every workload that a policy isolates: may those that are configured to call it do so?

    Policies add up: a connection is allowed when any policy of the side allows it. So all policies that
    isolate the side and allow it not are blamed together.
    """
    blamed: dict[str, tuple[set[str], list[str]]] = {}
    for caller, callee, service in environment.dependencies(world):
        for direction, subject, peer in (("Ingress", callee, caller), ("Egress", caller, callee)):
            isolating = [p for p in world.network_policies if _isolates(p, direction, subject)]
            if not isolating or any(_allows(p, direction, world, peer, callee, service) for p in isolating):
                continue
            for policy in isolating:
                victims, said = blamed.setdefault(policy["metadata"]["name"], (set(), []))
                victims.add(subject["metadata"]["name"])
                said.append(f"{caller['metadata']['name']} may not call {callee['metadata']['name']}")
    served = {w["metadata"]["name"] for service in world.services for w in world.selected_workloads(service)}
    for policy in world.network_policies:
        name = policy["metadata"]["name"]
        # Keeping everybody from what serves nobody is good practice.
        if name not in blamed and _admits_nobody(policy, world):
            hit = {
                w["metadata"]["name"]
                for w in world.workloads
                if w["metadata"]["name"] in served
                and _isolates(policy, "Ingress", w)
                and all(
                    _admits_nobody(p, world) for p in world.network_policies if _isolates(p, "Ingress", w)
                )
            }
            if hit:
                blamed[name] = (hit, ["it selects pods and admits no pod that exists"])
    for name, (victims, said) in sorted(blamed.items()):
        yield Hypothesis(
            world.entity("NetworkPolicy", name),
            "policy-denies",
            0.94,
            "; ".join(dict.fromkeys(said))[:300],
            frozenset(victims),
        )


def _types(policy: Json) -> list[str]:
    spec = policy["spec"]
    default = ["Ingress", "Egress"] if spec.get("egress") is not None else ["Ingress"]
    return list(spec.get("policyTypes") or default)


def _isolates(policy: Json, direction: str, workload: Json) -> bool:
    return direction in _types(policy) and selects(
        policy["spec"].get("podSelector") or {}, template_labels(workload)
    )


def _admits_nobody(policy: Json, world: World) -> bool:
    """No rule, or only rules from peers that are not there. Where no caller is known, this must do."""
    rules = policy["spec"].get("ingress") or ()
    return "Ingress" in _types(policy) and all(
        rule.get("from") and not any(_exists(peer, world) for peer in rule["from"]) for rule in rules
    )


def _exists(peer: Json, world: World) -> bool:
    """Whether anybody could be meant. Other namespaces' pods are not known: in doubt somebody is."""
    if "ipBlock" in peer:
        return True
    if "namespaceSelector" in peer:
        others = [n for n in world.namespaces if n["metadata"]["name"] != world.namespace]
        if any(selects(peer["namespaceSelector"], n["metadata"].get("labels") or {}) for n in others):
            return True
    return any(_is_peer(peer, world, workload) for workload in world.workloads)


def _allows(policy: Json, direction: str, world: World, peer: Json, callee: Json, service: Json) -> bool:
    """Whether some rule of this policy lets the connection through."""
    rules = policy["spec"].get("ingress" if direction == "Ingress" else "egress") or ()
    key = "from" if direction == "Ingress" else "to"
    return any(
        (not rule.get(key) or any(_is_peer(p, world, peer) for p in rule[key]))
        and (not rule.get("ports") or any(_is_port(p, callee, service) for p in rule["ports"]))
        for rule in rules
    )


def _is_peer(selector: Json, world: World, workload: Json) -> bool:
    if "ipBlock" in selector:
        return True  # which address a pod has is not known here: in doubt it is allowed
    if "namespaceSelector" in selector:
        own = next((n for n in world.namespaces if n["metadata"]["name"] == world.namespace), None)
        labels = (own or {"metadata": {}})["metadata"].get("labels") or {}
        if not selects(selector["namespaceSelector"], labels):
            return False
    return "podSelector" not in selector or selects(selector["podSelector"], template_labels(workload))


def _is_port(rule: Json, callee: Json, service: Json) -> bool:
    """Policies speak of the pod's port, which is what the Service's targetPort names."""
    if rule.get("protocol", "TCP") != "TCP":
        return False
    wanted = rule.get("port")
    if wanted is None:
        return True
    names = {
        port.get("name"): port["containerPort"]
        for container in containers(template(callee))
        for port in container.get("ports") or ()
    }
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        number = names.get(target, target) if isinstance(target, str) else target
        if isinstance(wanted, str):
            if names.get(wanted) == number:
                return True
        elif isinstance(number, int) and wanted <= number <= rule.get("endPort", wanted):
            return True
    return False
