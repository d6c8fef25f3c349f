"""What is done to the files and to the methods of a process: IOChaos, JVMChaos."""

from dataclasses import dataclass

from reprise.faults import template
from reprise.faults.chaos_experiment import Lasting, calls_are_slow, calls_fail, duration_problems, inject
from reprise.faults.mechanism import Injection, Json, Mechanism, Observed, Requirement

_TARGETS = frozenset({"Deployment"})
_TODA = frozenset({Requirement.CHAOS_MESH, Requirement.TODA})
_BYTEMAN = frozenset({Requirement.CHAOS_MESH, Requirement.BYTEMAN})


# -- io-chaos-* -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class IoParameters(Lasting):
    """volume_path: where a volume is mounted. path: of the files in it that are hit, all by default. percent:
    of the operations."""

    volume_path: str
    path: str | None = None
    percent: int = 100
    container: str | None = None

    def problems(self) -> list[str]:
        found = super().problems()
        if not 1 <= self.percent <= 100:
            found.append(f"percent: expected 1 to 100, found {self.percent}")
        if not self.volume_path.startswith("/"):
            found.append(f"volume_path: expected an absolute path, found {self.volume_path!r}")
        return found

    def files(self, deployment: Json) -> Json:
        """Which operations, as an experiment says it."""
        root = self.volume_path.rstrip("/")
        return {
            "containerNames": [template.container_name(deployment, self.container)],
            "volumePath": root,
            "path": self.path or f"{root}/**/*",
            "percent": self.percent,
        }


@dataclass(frozen=True, kw_only=True)
class IoLatencyParameters(IoParameters):
    """delay: of each operation; else as io-chaos-fault."""

    delay: str = "1s"

    def problems(self) -> list[str]:
        return super().problems() + duration_problems("delay", self.delay)


def _plan_io_latency(target: str, params: IoLatencyParameters, seed: int, observed: Observed) -> Injection:
    spec = {"action": "latency", "delay": params.delay, **params.files(observed.get("Deployment", target))}
    return inject(IO_LATENCY.name, "IOChaos", target, params, seed, observed, spec)


IO_LATENCY = Mechanism(
    name="io-chaos-latency",
    summary="Operations on the files of a volume take long.",
    parameters=IoLatencyParameters,
    targets=_TARGETS,
    plan=_plan_io_latency,
    symptoms=calls_are_slow,
    requires=_TODA,
)


@dataclass(frozen=True, kw_only=True)
class IoFaultParameters(IoParameters):
    """errno: with which operations fail, such as 5 (input/output error) or 28 (no space left)."""

    errno: int = 5

    def problems(self) -> list[str]:
        wrong = [] if 1 <= self.errno <= 133 else [f"errno: expected 1 to 133, found {self.errno}"]
        return super().problems() + wrong


def _plan_io_fault(target: str, params: IoFaultParameters, seed: int, observed: Observed) -> Injection:
    spec = {"action": "fault", "errno": params.errno, **params.files(observed.get("Deployment", target))}
    return inject(IO_FAULT.name, "IOChaos", target, params, seed, observed, spec)


IO_FAULT = Mechanism(
    name="io-chaos-fault",
    summary="Operations on the files of a volume fail.",
    parameters=IoFaultParameters,
    targets=_TARGETS,
    plan=_plan_io_fault,
    symptoms=calls_fail,
    requires=_TODA,
)


# -- jvm-chaos-* ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class JvmParameters(Lasting):
    """class_name, method: what is hit. port: on which the agent in the process answers."""

    class_name: str
    method: str
    port: int = 9277
    container: str | None = None

    def place(self, deployment: Json) -> Json:
        """Which method, as an experiment says it."""
        return {
            "containerNames": [template.container_name(deployment, self.container)],
            "class": self.class_name,
            "method": self.method,
            "port": self.port,
        }


@dataclass(frozen=True, kw_only=True)
class JvmExceptionParameters(JvmParameters):
    """exception: what is thrown, as Java creates it."""

    exception: str = 'java.io.IOException("connection reset by peer")'


def _plan_exception(target: str, params: JvmExceptionParameters, seed: int, observed: Observed) -> Injection:
    place = params.place(observed.get("Deployment", target))
    spec = {"action": "exception", "exception": params.exception, **place}
    return inject(JVM_EXCEPTION.name, "JVMChaos", target, params, seed, observed, spec)


JVM_EXCEPTION = Mechanism(
    name="jvm-chaos-exception",
    summary="A method of a Java program throws an exception.",
    parameters=JvmExceptionParameters,
    targets=_TARGETS,
    plan=_plan_exception,
    symptoms=calls_fail,
    requires=_BYTEMAN,
)


@dataclass(frozen=True, kw_only=True)
class JvmLatencyParameters(JvmParameters):
    """latency_milliseconds: by how much the method takes longer."""

    latency_milliseconds: int = 3000

    def problems(self) -> list[str]:
        short = self.latency_milliseconds < 1
        wrong = [f"latency_milliseconds: expected 1 or more, found {self.latency_milliseconds}"]
        return super().problems() + (wrong if short else [])


def _plan_jvm_latency(target: str, params: JvmLatencyParameters, seed: int, observed: Observed) -> Injection:
    place = params.place(observed.get("Deployment", target))
    spec = {"action": "latency", "latency": params.latency_milliseconds, **place}
    return inject(JVM_LATENCY.name, "JVMChaos", target, params, seed, observed, spec)


JVM_LATENCY = Mechanism(
    name="jvm-chaos-latency",
    summary="A method of a Java program takes long.",
    parameters=JvmLatencyParameters,
    targets=_TARGETS,
    plan=_plan_jvm_latency,
    symptoms=calls_are_slow,
    requires=_BYTEMAN,
)

MECHANISMS = (IO_FAULT, IO_LATENCY, JVM_EXCEPTION, JVM_LATENCY)
