"""Which scenarios a cluster can host, asked once for all of them."""

from collections.abc import Iterable, Mapping

from reprise.adapters import engine_observe, engine_plan, preflight
from reprise.adapters.kube import Kube
from reprise.domain import errors
from reprise.domain.scenario import Scenario
from reprise.faults import registry


async def reasons(kube: Kube, scenarios: Iterable[Scenario], namespace: str) -> Mapping[str, str]:
    """Why each scenario cannot be hosted with the application in this namespace; "" where it can.

    What the cluster lacks is asked once a requirement; then every fault is planned, and nothing is changed.
    """
    wanted = list(scenarios)
    required = sorted({r for one in wanted for r in registry.requirements(one)}, key=lambda r: r.name)
    lacking = {requirement: await preflight.lacks(kube, requirement) for requirement in required}
    observed = await engine_observe.observe(kube, namespace)
    out: dict[str, str] = {}
    for one in wanted:
        missing = [lacking[r] for r in sorted(registry.requirements(one), key=lambda r: r.name) if lacking[r]]
        if not missing:
            try:
                engine_plan.inject(one, 0, observed)
            except errors.RepriseError as exc:
                missing = [str(exc)]
        out[one.name] = "; ".join(missing)
    return out
