"""A feature flag of the application is switched, as its operators would switch it: in flagd's ConfigMap."""

import json
import re
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import RecyclePods, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults.mechanism import Cause, Injection, Mechanism, Observed


@dataclass(frozen=True)
class FlagParameters:
    """flag and variant: what is switched to what. key: where the ConfigMap holds the flags.
    workload: the Deployment that serves them and reads them only when it starts."""

    flag: str
    variant: str
    key: str = "demo.flagd.json"
    workload: str = "flagd"


def switch(text: str, flag: str, variant: str) -> str:
    """The flags' JSON with this flag's `defaultVariant` changed and every other character kept.

    Raises InvalidInput when the flag, the variant or the place in the text cannot be found, or when switching
    would change nothing.
    """
    try:
        flags = json.loads(text)["flags"]
        known = flags[flag]
    except (ValueError, TypeError) as exc:
        raise errors.InvalidInput(
            f"expected flagd's JSON with 'flags', found text that is none: {exc}"
        ) from exc
    except KeyError as exc:
        there = ", ".join(sorted(json.loads(text).get("flags", {}))) or "none"
        raise errors.InvalidInput(f"params.flag: expected one of: {there}; found {flag!r}") from exc
    if variant not in known["variants"]:
        raise errors.InvalidInput(
            f"params.variant: expected one of: {', '.join(known['variants'])}; found {variant!r}"
        )
    if known["defaultVariant"] == variant:
        raise errors.InvalidInput(f"params.variant: expected another than the present one, found {variant!r}")
    if known.get("state", "ENABLED") != "ENABLED" or known.get("targeting"):
        raise errors.InvalidInput(
            f"params.flag: expected an enabled flag without targeting, found {flag!r}, whose default "
            "decides nothing"
        )
    flags[flag]["defaultVariant"] = variant
    for start in re.finditer(rf"{re.escape(json.dumps(flag))}\s*:\s*\{{", text):
        found = re.compile(r'("defaultVariant"\s*:\s*)"(?:[^"\\]|\\.)*"').search(text, start.end())
        if found:
            changed = text[: found.start()] + found[1] + json.dumps(variant) + text[found.end() :]
            if json.loads(changed)["flags"] == flags:
                return changed
    raise errors.InvalidInput(
        f"expected the text of flag {flag!r} to hold its defaultVariant, found no such place"
    )


def _plan(target: str, params: FlagParameters, seed: int, observed: Observed) -> Injection:
    config_map = observed.get("ConfigMap", target)
    observed.get("Deployment", params.workload)
    data = config_map.get("data") or {}
    if params.key not in data:
        raise errors.InvalidInput(
            f"params.key: expected one of: {', '.join(sorted(data)) or 'none'}; found {params.key!r}"
        )
    changed = switch(data[params.key], params.flag, params.variant)
    ref, workload = observed.ref("ConfigMap", target), observed.ref("Deployment", params.workload)
    steps = (RecyclePods(workload, after=ref), WaitAvailable(workload))
    return Injection(
        mutations=(Patch(ref, (SetField(("data", params.key), changed),)),),
        causes=(Cause(ref),),
        settle=steps,
        recover=steps,
    )


def _symptoms(target: str, params: FlagParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("requests fail", alert="HighRequestErrorRate"),)


FLAG = Mechanism(
    name="feature-flag",
    summary="A feature flag is switched in flagd's ConfigMap.",
    parameters=FlagParameters,
    targets=frozenset({"ConfigMap"}),
    plan=_plan,
    symptoms=_symptoms,
    composes=True,
)

MECHANISMS = (FLAG,)
