"""Faults in a ConfigMap: a key that is gone, a text that is not what its readers need."""

import re
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import consumers, seeded
from reprise.faults.mechanism import Cause, Injection, Mechanism, Observed


def _injection(ref: ObjectRef, changes: tuple[SetField, ...], observed: Observed) -> Injection:
    recycled = consumers.recycled(ref, observed)
    available = tuple(WaitAvailable(reader) for reader in consumers.readers(ref, observed))
    return Injection(
        mutations=(Patch(ref, changes),),
        causes=(Cause(ref),),
        settle=recycled,
        recover=(*recycled, *available),
    )


_KEY = re.compile(r"^[-._A-Za-z0-9]{1,253}$")


# -- config-map-key-removed -------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyRemovedParameters:
    """key: which one is gone; the only one by default.
    renamed: the key that has its text now; a plausible one by default."""

    key: str | None = None
    renamed: str | None = None

    def problems(self) -> list[str]:
        if self.renamed is not None and not _KEY.match(self.renamed):
            return [f"renamed: expected a key of a ConfigMap, found {self.renamed!r:.60}"]
        return []


def _plan_removed(target: str, params: KeyRemovedParameters, seed: int, observed: Observed) -> Injection:
    config_map = observed.get("ConfigMap", target)
    key = consumers.key_of(config_map, params.key)
    data = config_map["data"]
    renamed = params.renamed or seeded.pick(
        seeded.chooser(seed, KEY_REMOVED.name, target),
        [f"{key}.old", f"{key}.orig", f"{key}.bak"],
        data,
        "key of the ConfigMap",
    )
    if renamed in data:
        raise errors.InvalidInput(
            f"params.renamed: expected a key that is not there, found one of: {', '.join(sorted(data))}"
        )
    # NB: not removed altogether. Once nothing is left of what anybody put there, the API server forgets when
    # the object was changed, and that is how readers which have read it anew are told from the others.
    changes = (SetField(("data", renamed), data[key]), SetField(("data", key), paths.ABSENT))
    return _injection(observed.ref("ConfigMap", target), changes, observed)


def _removed_symptoms(target: str, params: KeyRemovedParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("a pod does not get ready", alert="KubePodNotReady"),)


KEY_REMOVED = Mechanism(
    name="config-map-key-removed",
    summary="A key of a ConfigMap has another name than its readers know; their pods are replaced.",
    parameters=KeyRemovedParameters,
    targets=frozenset({"ConfigMap"}),
    plan=_plan_removed,
    symptoms=_removed_symptoms,
)


# -- config-map-key-wrong ---------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyWrongParameters:
    """find: a part of the key's text, each occurrence of which is replaced.
    replace: by what; nothing by default.
    key: which one is changed; the only one by default."""

    find: str
    replace: str = ""
    key: str | None = None

    def problems(self) -> list[str]:
        found = [] if self.find else ["find: expected a part of the text, found an empty one"]
        if self.find == self.replace:
            found.append(f"replace: expected another text than the one to find, found {self.replace!r:.60}")
        return found


def _plan_wrong(target: str, params: KeyWrongParameters, seed: int, observed: Observed) -> Injection:
    config_map = observed.get("ConfigMap", target)
    key = consumers.key_of(config_map, params.key)
    text = str(config_map["data"][key])
    if params.find not in text:
        raise errors.InvalidInput(
            f"params.find: expected a part of {key} of ConfigMap/{target}, found none that reads "
            f"{params.find!r:.60}"
        )
    change = SetField(("data", key), text.replace(params.find, params.replace))
    return _injection(observed.ref("ConfigMap", target), (change,), observed)


def _wrong_symptoms(target: str, params: KeyWrongParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("requests fail", alert="HighRequestErrorRate"),)


KEY_WRONG = Mechanism(
    name="config-map-key-wrong",
    summary="A part of a ConfigMap's text is changed, and the pods that read it are replaced.",
    parameters=KeyWrongParameters,
    targets=frozenset({"ConfigMap"}),
    plan=_plan_wrong,
    symptoms=_wrong_symptoms,
    composes=True,
)

MECHANISMS = (KEY_REMOVED, KEY_WRONG)
