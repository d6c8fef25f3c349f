"""From a scenario to a plan for this very cluster: faults, decoys and noise worked out, nothing changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reprise.adapters import engine_observe, engine_write, preflight
from reprise.adapters.kube import Json, Kube
from reprise.domain import errors, paths
from reprise.domain import plan as plans
from reprise.domain import scenario as scenarios
from reprise.domain import truth as truths
from reprise.domain.entities import EntityId, ObjectRef
from reprise.domain.mutation import (
    BeforeCreate,
    BeforeDelete,
    BeforePatch,
    Create,
    Delete,
    Mutation,
    OldField,
    Patch,
    PlannedMutation,
    SetField,
)
from reprise.faults import chaos_experiment, registry, seeded, service
from reprise.faults.mechanism import API_VERSIONS, CLUSTER_API_VERSIONS, Injection, Observed


@dataclass(frozen=True)
class Planned:
    """One fault or decoy with what it does."""

    fault: scenarios.Fault
    injection: Injection


async def plan(kube: Kube, wanted: scenarios.Scenario, namespace: str, seed: int) -> plans.Plan:
    """See Engine.plan."""
    await preflight.check(kube, registry.requirements(wanted))
    observed = await engine_observe.observe(kube, namespace)
    check_equivalents(wanted, observed)
    faults, decoys = inject(wanted, seed, observed)
    everything = [*faults, *decoys]
    mutations = _merged(mutation for one in everything for mutation in one.injection.mutations)
    noise = _noise(wanted, seed, observed, everything)
    recycled = [
        step
        for ref in noise
        for step in (plans.ReplacePods(ref, _pods(observed, ref)), plans.WaitAvailable(ref))
    ]
    return plans.Plan(
        scenario=wanted.name,
        namespace=namespace,
        seed=seed,
        mutations=tuple([await _prepare(kube, mutation, observed) for mutation in mutations]),
        settle=tuple(dict.fromkeys([*(s for one in everything for s in one.injection.settle), *recycled])),
        recover=tuple(dict.fromkeys(step for one in everything for step in one.injection.recover)),
        truth=truth(wanted, faults, namespace),
        owned_causes=tuple(
            dict.fromkeys(
                cause.ref
                for one in faults
                for cause in one.injection.causes
                if cause.owned and wanted.truth_policy.owned
            )
        ),
        decoys=tuple(dict.fromkeys(m.ref for one in decoys for m in one.injection.mutations)),
        noise=tuple(noise),
    )


def check_equivalents(wanted: scenarios.Scenario, observed: Observed) -> None:
    """Raises InvalidInput for every declared equivalent that names nothing: it could never be named rightly.

    Of kinds that are not looked at, and of what comes and goes by itself, nothing is said.
    """
    problems = []
    for index, fault in enumerate(wanted.faults):
        for text in fault.equivalents:
            entity = scenarios.entity(text, observed.namespace)
            known = observed.all(entity.kind)
            ours = entity.namespace in ("", observed.namespace)
            stays = entity.kind in {*API_VERSIONS, *CLUSTER_API_VERSIONS} - {"Pod", "ReplicaSet"}
            if ours and stays and entity.name not in known:
                there = ", ".join(sorted(known)) or "none"
                problems.append(
                    f"faults[{index}].equivalents: expected {entity} to exist, found only: {there}"
                )
    if problems:
        raise errors.InvalidInput(problems)


def truth(wanted: scenarios.Scenario, faults: Iterable[Planned], namespace: str) -> truths.Truth:
    """Two faults in one object are one root cause: an entity can be named only once."""
    equivalents: dict[EntityId, list[EntityId]] = {}
    for one in faults:
        for cause in one.injection.causes:
            known = equivalents.setdefault(cause.ref.entity, [])
            known += [ref.entity for ref in cause.equivalents]
            known += [scenarios.entity(text, namespace) for text in one.fault.equivalents]
            if wanted.truth_policy.experiments:
                made = (m.ref for m in one.injection.mutations)
                known += [ref.entity for ref in made if ref.api_version == chaos_experiment.API_VERSION]
    return truths.Truth(
        tuple(
            truths.RootCause(entity, tuple(e for e in dict.fromkeys(others) if e != entity))
            for entity, others in equivalents.items()
        )
    )


def inject(wanted: scenarios.Scenario, seed: int, observed: Observed) -> tuple[list[Planned], list[Planned]]:
    """Faults and decoys planned one upon the other, in the order of the file.

    All problems at once: raises Unsupported when the application lacks something, NotFound when only targets
    are missing, else InvalidInput.
    """
    made: dict[str, list[Planned]] = {"faults": [], "decoys": []}
    problems: list[str] = []
    missing: list[str] = []
    lacking: list[str] = []
    taken: dict[tuple[ObjectRef, paths.Path], bool] = {}
    for field, entries in (("faults", wanted.faults), ("decoys", wanted.decoys)):
        for index, fault in enumerate(entries):
            where = f"{field}[{index}] ({fault.mechanism} on {fault.kind}/{fault.name})"
            try:
                injection = registry.inject(fault, seed, observed)
            except errors.NotFound as exc:
                missing.append(f"{where}: {exc}")
            except errors.Unsupported as exc:
                lacking.append(f"{where}: {exc}")
            except errors.InvalidInput as exc:
                problems += [f"{where}: {problem}" for problem in exc.problems]
            else:
                problems += [f"{where}: {problem}" for problem in _clashes(fault, injection, taken)]
                guilty = {cause.ref for one in made["faults"] for cause in one.injection.causes}
                problems += [
                    f"{where}: expected a decoy in an object that is no root cause, found {mutation.ref}"
                    for mutation in injection.mutations
                    if field == "decoys" and mutation.ref in guilty
                ]
                made[field].append(Planned(fault, injection))
                observed = _with(observed, injection)
    if problems:
        raise errors.InvalidInput(problems + missing + lacking)
    if missing:
        raise errors.NotFound("; ".join(missing + lacking))
    if lacking:
        raise errors.Unsupported("; ".join(lacking))
    return made["faults"], made["decoys"]


def _clashes(
    fault: scenarios.Fault, injection: Injection, taken: dict[tuple[ObjectRef, paths.Path], bool]
) -> list[str]:
    """Two faults in one place could not be told apart when they are taken back, unless they compose."""
    composes = registry.MECHANISMS[fault.mechanism].composes
    problems = []
    for mutation in injection.mutations:
        places = [c.path for c in mutation.changes] if isinstance(mutation, Patch) else [()]
        for place in places:
            before = taken.get((mutation.ref, place))
            if before is not None and not (before and composes):
                where = f"{mutation.ref}: {paths.text(place)}" if place else str(mutation.ref)
                problems.append(f"expected each place to be changed by one fault, found {where} twice")
            taken[(mutation.ref, place)] = composes
    return problems


def _with(observed: Observed, injection: Injection) -> Observed:
    """What is there once the injection is in force, for the faults that are planned after it."""
    for mutation in injection.mutations:
        match mutation:
            case Create(manifest):
                observed = observed.replaced(mutation.ref, manifest)
            case Patch(ref, changes):
                found = observed.find(ref)
                for change in changes:
                    found = paths.put(found, change.path, change.value)
                observed = observed.replaced(ref, found)
            case Delete():
                pass  # a later fault on it is a clash, and says so
    return observed


def _merged(mutations: Iterable[Mutation]) -> list[Mutation]:
    """A later change of a place that was changed before takes its turn: one before-image a place."""
    out: list[Mutation] = []
    for mutation in mutations:
        if isinstance(mutation, Patch):
            for index, earlier in enumerate(out):
                places = {c.path for c in earlier.changes} if isinstance(earlier, Patch) else set()
                if (
                    isinstance(earlier, Patch)
                    and earlier.ref == mutation.ref
                    and places & {c.path for c in mutation.changes}
                ):
                    later = {c.path: c for c in mutation.changes}
                    kept = tuple(later.pop(c.path, c) for c in earlier.changes)
                    out[index] = Patch(mutation.ref, (*kept, *later.values()))
                    break
            else:
                out.append(mutation)
        else:
            out.append(mutation)
    return out


def _noise(
    wanted: scenarios.Scenario, seed: int, observed: Observed, planned: Sequence[Planned]
) -> list[ObjectRef]:
    """Deployments whose pods are replaced as background noise: nobody calls them, so nobody is hurt."""
    if not wanted.noise.restarts:
        return []
    touched = {m.ref.name for one in planned for m in one.injection.mutations}
    selectors = [s["spec"].get("selector") or {} for s in observed.all("Service").values()]
    quiet = [
        name
        for name, deployment in sorted(observed.all("Deployment").items())
        if name not in touched
        and deployment["spec"].get("replicas", 1)
        and not any(
            selector
            and service.matches(selector, deployment["spec"]["template"]["metadata"].get("labels") or {})
            for selector in selectors
        )
    ]
    chosen = seeded.chooser(seed, "noise", wanted.name).sample(quiet, min(wanted.noise.restarts, len(quiet)))
    return [observed.ref("Deployment", name) for name in sorted(chosen)]


def _pods(observed: Observed, ref: ObjectRef) -> tuple[str, ...]:
    """The uids of the Deployment's pods that are there now."""
    selector = observed.find(ref)["spec"]["selector"].get("matchLabels") or {}
    return tuple(
        sorted(
            pod["metadata"]["uid"]
            for pod in observed.all("Pod").values()
            if service.matches(selector, pod["metadata"].get("labels") or {})
        )
    )


async def _prepare(kube: Kube, mutation: Mutation, observed: Observed) -> PlannedMutation:
    """The mutation as the API server will store it (defaults filled in), and its before-image."""
    match mutation:
        case Create(manifest):
            tried = await engine_write.make(kube, manifest, dry_run=True)
            normal = engine_write.recreatable({**tried, **_typed(manifest)})
            return PlannedMutation(Create(normal), BeforeCreate())
        case Delete(ref):
            found = observed.find(ref)
            before = BeforeDelete(found["metadata"]["uid"], engine_write.recreatable(found))
            return PlannedMutation(mutation, before)
        case Patch(ref, changes):
            found = observed.find(ref)
            changed = found
            for change in changes:
                changed = paths.put(changed, change.path, change.value)
            tried = await engine_write.write(kube, changed, dry_run=True)
            return PlannedMutation(
                Patch(ref, tuple(SetField(c.path, paths.get(tried, c.path)) for c in changes)),
                BeforePatch(found["metadata"]["uid"], tuple(_old(found, c.path) for c in changes)),
            )


def _typed(manifest: Json) -> Json:
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"]}


def _old(found: Json, path: paths.Path) -> OldField:
    last = path[-1]
    at = paths.position(paths.get(found, path[:-1]), last) if isinstance(last, paths.Item) else None
    return OldField(paths.get(found, path), at)
