"""Makes the alert rules of a profile from the short ones in `manifests/observability/rules`. Pure.

The production profile multiplies every window, `offset`, `for` and `history` by `FACTOR`; no window looks
further back than is stored. Thresholds are rates, shares and numbers of events, and stay.
"""

import enum
import re
from collections.abc import Mapping, Sequence

import yaml

from reprise.domain import durations, errors

FACTOR = 10
# what --storage.tsdb.retention.time of manifests/observability/prometheus.yaml keeps
STORED_SECONDS = 7200
RULES_CONFIG_MAP = "prometheus-rules"

# strings and comments come first, so that what looks like a window within them is left alone
_WINDOW = re.compile(
    rf"""
      "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` | \#[^\n]*
    | \[\s*(?P<range>{durations.PATTERN})(?P<resolution>\s*:\s*(?:{durations.PATTERN})?)?\s*\]
    | \boffset\s+(?P<sign>-?\s*)(?P<offset>{durations.PATTERN})
    """,
    re.VERBOSE,
)


class AlertProfile(enum.Enum):
    """How long rules wait."""

    SHORT = "short"
    PRODUCTION = "production"


def chosen(asked: AlertProfile | None, remembered: str | None) -> AlertProfile:
    """What is asked for, else what the cluster has, else the short one. Raises Corrupt."""
    if asked is not None or remembered is None:
        return asked or AlertProfile.SHORT
    try:
        return AlertProfile(remembered)
    except ValueError as exc:
        known = ", ".join(one.value for one in AlertProfile)
        raise errors.Corrupt(
            f"expected one of {known} as the alert profile of the cluster's record, found {remembered!r}; "
            "say which with --alert-profile"
        ) from exc


def scaled(expression: str, factor: int = FACTOR, longest_seconds: float = STORED_SECONDS) -> str:
    """The PromQL expression with longer windows and offsets; a subquery keeps its resolution."""

    def longer(match: re.Match[str]) -> str:
        if length := match["range"]:
            window = min(durations.seconds(length) * factor, max(longest_seconds, durations.seconds(length)))
            return f"[{durations.written(window)}{(match['resolution'] or '').strip()}]"
        if length := match["offset"]:
            return f"offset {match['sign'].strip()}{durations.written(durations.seconds(length) * factor)}"
        return match[0]

    return _WINDOW.sub(longer, expression)


def production(rules: str, factor: int = FACTOR) -> str:
    """A rule file with every duration of its expressions, every `for` and every `history` multiplied."""
    loaded = yaml.safe_load(rules)
    for group in loaded["groups"]:
        for rule in group["rules"]:
            rule["expr"] = scaled(rule["expr"], factor)
            for waiting in ("for", "keep_firing_for"):
                if waiting in rule:
                    rule[waiting] = durations.written(durations.seconds(rule[waiting]) * factor)
            if history := (rule.get("annotations") or {}).get("history"):
                rule["annotations"]["history"] = durations.written(durations.seconds(history) * factor)
    text: str = yaml.safe_dump(loaded, sort_keys=False, width=1000, allow_unicode=True)
    return text


def applied(documents: Sequence[object], profile: AlertProfile) -> list[object]:
    """The rendered observability objects with the rules of the profile.

    Raises NotFound when the ConfigMap of the rules is not among them.
    """
    if profile is AlertProfile.SHORT:
        return list(documents)
    found = False
    result: list[object] = []
    for document in documents:
        if isinstance(document, Mapping) and _is_rules(document):
            found = True
            data = {name: production(text) for name, text in document["data"].items()}
            document = {**document, "data": data}
        result.append(document)
    if documents and not found:
        raise errors.NotFound(
            f"expected the ConfigMap {RULES_CONFIG_MAP} in manifests/observability, found none: its "
            "kustomization.yaml must make it"
        )
    return result


def _is_rules(document: Mapping[str, object]) -> bool:
    metadata = document.get("metadata")
    named = isinstance(metadata, Mapping) and metadata.get("name") == RULES_CONFIG_MAP
    return named and document.get("kind") == "ConfigMap"
