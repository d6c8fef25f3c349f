"""What the network does to a Deployment's packets: NetworkChaos."""

import dataclasses
import re
from dataclasses import dataclass

from reprise.faults.chaos_experiment import (
    Lasting,
    calls_are_slow,
    calls_fail,
    duration_problems,
    inject,
    selected,
)
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed, Requirement

_TARGETS = frozenset({"Deployment"})
_NETEM = frozenset({Requirement.CHAOS_MESH, Requirement.NETEM})
_DIRECTIONS = ("to", "from", "both")


@dataclass(frozen=True, kw_only=True)
class _Network(Lasting):
    """peer: the Deployment that packets are exchanged with; everybody when not given. direction: of the
    packets that are hit: `to` the peer, `from` it, `both`."""

    peer: str | None = None
    direction: str = "to"

    def problems(self) -> list[str]:
        found = super().problems()
        if self.direction not in _DIRECTIONS:
            found.append(f"direction: expected one of: {', '.join(_DIRECTIONS)}; found {self.direction!r}")
        return found

    def path(self, observed: Observed) -> Json:
        """Which packets, as an experiment says it."""
        target = {"target": selected(observed.get("Deployment", self.peer))} if self.peer else {}
        return {"direction": self.direction, **target}


@dataclass(frozen=True, kw_only=True)
class _Shaped(_Network):
    """As partition; what is shaped is what the target sends, so that other directions need a peer."""

    def problems(self) -> list[str]:
        found = super().problems()
        if self.direction in ("from", "both") and self.peer is None:
            found.append(f"peer: expected a Deployment with the direction {self.direction!r}, found none")
        return found


def _percent(name: str, value: int) -> list[str]:
    return [] if 0 <= value <= 100 else [f"{name}: expected 0 to 100, found {value}"]


# -- network-chaos-partition ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PartitionParameters(_Network):
    """Without a peer the target is cut off from everybody."""

    direction: str = "both"


def _plan_partition(target: str, params: PartitionParameters, seed: int, observed: Observed) -> Injection:
    spec = {"action": "partition", **params.path(observed)}
    injection = inject(PARTITION.name, "NetworkChaos", target, params, seed, observed, spec)
    if params.peer is None:
        return injection
    # Both ends see the same: nothing that an agent can look at tells where the packets are dropped.
    other = observed.ref("Deployment", params.peer)
    causes = tuple(dataclasses.replace(cause, equivalents=(other,)) for cause in injection.causes)
    return dataclasses.replace(injection, causes=causes)


PARTITION = Mechanism(
    name="network-chaos-partition",
    summary="No packet passes between a Deployment and its peers; with one peer, either end may be named.",
    parameters=PartitionParameters,
    targets=_TARGETS,
    plan=_plan_partition,
    symptoms=calls_fail,
    requires=frozenset({Requirement.CHAOS_MESH}),
)


# -- network-chaos-delay ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DelayParameters(_Shaped):
    """latency: by how much packets are late, jitter: and by how much that varies. correlation: per cent, of
    one packet with the one before."""

    latency: str = "2s"
    jitter: str = "100ms"
    correlation: int = 0

    def problems(self) -> list[str]:
        found = super().problems() + _percent("correlation", self.correlation)
        for name, value in (("latency", self.latency), ("jitter", self.jitter)):
            found += duration_problems(name, value)
        return found


def _plan_delay(target: str, params: DelayParameters, seed: int, observed: Observed) -> Injection:
    delay = {"latency": params.latency, "jitter": params.jitter, "correlation": str(params.correlation)}
    spec = {"action": "delay", "delay": delay, **params.path(observed)}
    return inject(DELAY.name, "NetworkChaos", target, params, seed, observed, spec)


DELAY = Mechanism(
    name="network-chaos-delay",
    summary="The packets that a Deployment sends arrive late.",
    parameters=DelayParameters,
    targets=_TARGETS,
    plan=_plan_delay,
    symptoms=calls_are_slow,
    requires=_NETEM,
)


# -- network-chaos-loss, -duplicate, -corrupt -------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ShareParameters(_Shaped):
    """percent: of the packets that are hit. correlation: per cent, of one packet with the one before."""

    percent: int = 40
    correlation: int = 0

    def problems(self) -> list[str]:
        found = super().problems() + _percent("correlation", self.correlation)
        if not 1 <= self.percent <= 100:
            found.append(f"percent: expected 1 to 100, found {self.percent}")
        return found


def _share(action: str, summary: str) -> Mechanism[ShareParameters]:
    name = f"network-chaos-{action}"

    def plan(target: str, params: ShareParameters, seed: int, observed: Observed) -> Injection:
        share = {action: str(params.percent), "correlation": str(params.correlation)}
        spec = {"action": action, action: share, **params.path(observed)}
        return inject(name, "NetworkChaos", target, params, seed, observed, spec)

    return Mechanism(
        name=name,
        summary=summary,
        parameters=ShareParameters,
        targets=_TARGETS,
        plan=plan,
        symptoms=calls_are_slow,
        requires=_NETEM,
    )


LOSS = _share("loss", "A part of the packets that a Deployment sends is lost.")
DUPLICATE = _share("duplicate", "A part of the packets that a Deployment sends arrives twice.")
CORRUPT = _share("corrupt", "A part of the packets that a Deployment sends arrives damaged.")


# -- network-chaos-bandwidth ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BandwidthParameters(_Shaped):
    """rate: what the target may send in a second, such as 8kbps (kilobytes) or 64kbit. limit_bytes: what may
    wait for its turn. buffer_bytes: what may be sent at once."""

    rate: str = "8kbps"
    limit_bytes: int = 20_000
    buffer_bytes: int = 5_000

    def problems(self) -> list[str]:
        found = super().problems()
        if not re.fullmatch(r"\d+ ?([kmgt]?bps|[kmgt]?bit)", self.rate):
            found.append(f"rate: expected a rate such as 8kbps or 64kbit, found {self.rate!r}")
        for name, value in (("limit_bytes", self.limit_bytes), ("buffer_bytes", self.buffer_bytes)):
            if value < 1:
                found.append(f"{name}: expected 1 or more, found {value}")
        return found


def _plan_bandwidth(target: str, params: BandwidthParameters, seed: int, observed: Observed) -> Injection:
    bandwidth = {"rate": params.rate, "limit": params.limit_bytes, "buffer": params.buffer_bytes}
    spec = {"action": "bandwidth", "bandwidth": bandwidth, **params.path(observed)}
    return inject(BANDWIDTH.name, "NetworkChaos", target, params, seed, observed, spec)


BANDWIDTH = Mechanism(
    name="network-chaos-bandwidth",
    summary="A Deployment can send only so much in a second.",
    parameters=BandwidthParameters,
    targets=_TARGETS,
    plan=_plan_bandwidth,
    symptoms=calls_are_slow,
    requires=frozenset({Requirement.CHAOS_MESH, Requirement.TBF}),
)

MECHANISMS = (BANDWIDTH, CORRUPT, DELAY, DUPLICATE, LOSS, PARTITION)
