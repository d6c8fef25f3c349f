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


@dataclass(frozen=True, kw_only=True)
class JvmStressParameters(Lasting):
    """cpu_count: threads that calculate without end, beside the process's work. memory_type: heap or stack,
    which is taken without end. port: where its agent listens. One of cpu_count and memory_type."""

    cpu_count: int | None = None
    memory_type: str | None = None
    port: int = 9277
    container: str | None = None

    def problems(self) -> list[str]:
        found = super().problems()
        if (self.cpu_count is None) == (self.memory_type is None):
            found.append("cpu_count: expected it or memory_type, found both or none")
        if self.cpu_count is not None and self.cpu_count < 1:
            found.append(f"cpu_count: expected 1 or more, found {self.cpu_count}")
        if self.memory_type not in (None, "heap", "stack"):
            found.append(f"memory_type: expected one of: heap, stack; found {self.memory_type!r}")
        return found


def _plan_jvm_stress(target: str, params: JvmStressParameters, seed: int, observed: Observed) -> Injection:
    taken = {"cpuCount": params.cpu_count} if params.cpu_count else {"memType": params.memory_type}
    container = template.container_name(observed.get("Deployment", target), params.container)
    spec = {"action": "stress", "containerNames": [container], "port": params.port, **taken}
    return inject(JVM_STRESS.name, "JVMChaos", target, params, seed, observed, spec)


JVM_STRESS = Mechanism(
    name="jvm-chaos-stress",
    summary="A Java program calculates, or takes memory, without end.",
    parameters=JvmStressParameters,
    targets=_TARGETS,
    plan=_plan_jvm_stress,
    symptoms=calls_are_slow,
    requires=_BYTEMAN,
)


@dataclass(frozen=True, kw_only=True)
class JvmRuleParameters(Lasting):
    """rule: the text of a Byteman rule. port: on which the agent in the process answers."""

    rule: str
    port: int = 9277
    container: str | None = None


def _plan_jvm_rule(target: str, params: JvmRuleParameters, seed: int, observed: Observed) -> Injection:
    container = template.container_name(observed.get("Deployment", target), params.container)
    spec = {
        "action": "ruleData",
        "containerNames": [container],
        "port": params.port,
        "ruleData": params.rule,
    }
    return inject(JVM_RULE.name, "JVMChaos", target, params, seed, observed, spec)


JVM_RULE = Mechanism(
    name="jvm-chaos-rule-data",
    summary="A method of a Java program does something else, by a Byteman rule.",
    parameters=JvmRuleParameters,
    targets=_TARGETS,
    plan=_plan_jvm_rule,
    symptoms=calls_fail,
    requires=_BYTEMAN,
)

MECHANISMS = (IO_FAULT, IO_LATENCY, JVM_EXCEPTION, JVM_LATENCY, JVM_RULE, JVM_STRESS)
