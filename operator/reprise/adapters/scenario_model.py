"""The wire form of a scenario, and its conversion to the domain's."""

from typing import Annotated, Any, Literal

import pydantic

from reprise.domain import promql
from reprise.domain.scenario import Difficulty, Fault, Injector, Noise, Scenario, TruthPolicy
from reprise.domain.symptoms import AlertSymptom, EventSymptom, MetricSymptom, Symptom
from reprise.faults import registry

Name = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Text = Annotated[str, pydantic.Field(min_length=1, max_length=500)]
ObjectName = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
Kind = Annotated[str, pydantic.Field(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$")]


class Model(pydantic.BaseModel):
    """Strict: nothing unknown, no strings for numbers."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)


class Target(Model):
    """The object of the application that the mechanism is used on."""

    kind: Kind
    name: ObjectName


class FaultModel(Model):
    mechanism: Text
    target: Target
    params: dict[str, Any] = {}
    equivalents: list[Text] = []


class Alert(Model):
    """An alert rule and labels that the firing alert must have; its namespace is always the application's."""

    name: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    labels: dict[str, str] = {}


class Metric(Model):
    """A PromQL expression that returns a sample when the symptom shows; `$namespace` is filled in."""

    query: Text

    @pydantic.field_validator("query")
    @classmethod
    def _query(cls, value: str) -> str:
        problem = promql.problem(value)
        if problem:
            raise ValueError(problem)
        return value


class Event(Model):
    """A Kubernetes Event since the injection."""

    reason: Text
    kind: Kind
    namePrefix: str = ""
    message: str = ""


class SymptomModel(Model):
    name: Text
    required: bool = True
    alert: Alert | None = None
    metric: Metric | None = None
    event: Event | None = None

    @pydantic.model_validator(mode="after")
    def _one(self) -> "SymptomModel":
        given = [key for key in ("alert", "metric", "event") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of alert, metric, event; found {', '.join(given) or 'none'}")
        return self


class TruthModel(Model):
    owned: bool = True
    experiments: bool = False


class DecoyModel(Model):
    mechanism: Text
    target: Target
    params: dict[str, Any] = {}


class NoiseModel(Model):
    restarts: Annotated[int, pydantic.Field(ge=0, le=3)] = 0


class ScenarioModel(Model):
    name: Name
    title: Text
    symptom: Text
    difficulty: Literal["easy", "medium", "hard"]
    tags: list[Name] = []
    application: Literal["otel-demo"]
    faults: list[FaultModel]
    symptoms: list[SymptomModel] = []
    truth: TruthModel = TruthModel()
    injector: Literal["hidden", "visible"] = "hidden"
    decoys: list[DecoyModel] = []
    noise: NoiseModel = NoiseModel()
    expectedSeconds: Annotated[int, pydantic.Field(ge=10, le=3600)] = 120


def scenario(model: ScenarioModel) -> Scenario:
    """The domain's form. Without symptoms of its own a scenario takes those of its mechanisms."""
    faults = tuple(
        Fault(f.mechanism, f.target.kind, f.target.name, f.params, tuple(f.equivalents)) for f in model.faults
    )
    symptoms = tuple(_symptom(entry) for entry in model.symptoms)
    return Scenario(
        name=model.name,
        title=model.title,
        symptom=model.symptom,
        difficulty=Difficulty(model.difficulty),
        tags=tuple(model.tags),
        application=model.application,
        faults=faults,
        symptoms=symptoms or tuple(s for fault in faults for s in registry.default_symptoms(fault)),
        truth_policy=TruthPolicy(model.truth.owned, model.truth.experiments),
        injector=Injector(model.injector),
        decoys=tuple(Fault(d.mechanism, d.target.kind, d.target.name, d.params) for d in model.decoys),
        noise=Noise(model.noise.restarts),
        expected_seconds=model.expectedSeconds,
    )


def _symptom(model: SymptomModel) -> Symptom:
    if model.alert is not None:
        return AlertSymptom(model.name, model.alert.name, model.alert.labels, model.required)
    if model.metric is not None:
        return MetricSymptom(model.name, model.metric.query, model.required)
    assert model.event is not None  # noqa: S101 - the validator above
    event = model.event
    return EventSymptom(model.name, event.reason, event.kind, event.namePrefix, event.message, model.required)
