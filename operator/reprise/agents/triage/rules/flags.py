"""Feature flags (flagd's format) that are switched on."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reprise.agents.protocol import Hypothesis
from reprise.agents.triage.world import World

_OFF = frozenset({"off", "false", "disabled", "none", "default"})


def switched(world: World) -> Iterator[Hypothesis]:
    """A flag that has a variant called off and does not default to it, in a ConfigMap of flag definitions."""
    for config in world.config_maps:
        on: list[str] = []
        for text in (config.get("data") or {}).values():
            for name, flag in _flags(text).items():
                variants = flag.get("variants") or {}
                chosen = flag.get("defaultVariant")
                off = [variant for variant in variants if variant.lower() in _OFF]
                if flag.get("state") == "ENABLED" and off and chosen not in off:
                    on.append(f"{name}={chosen}")
        if on:
            yield Hypothesis(
                world.entity("ConfigMap", config["metadata"]["name"]),
                "flag-switched",
                0.85 if len(on) <= 2 else 0.5,
                f"flags whose default is not their off: {', '.join(on)}",
                frozenset(),
            )


def _flags(text: str) -> Mapping[str, Mapping[str, Any]]:
    if '"flags"' not in text:
        return {}
    try:
        found = json.loads(text).get("flags")
    except (ValueError, AttributeError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}
