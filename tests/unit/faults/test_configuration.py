"""Faults in ConfigMaps and Secrets: the plans in detail, and refusals."""

import base64
import re

import pytest
from tests.unit.faults import shop
from tests.unit.faults.cases_objects import EXTRA, SQL, config_map, secret
from tests.unit.faults.planned import observed, patched
from tests.unit.faults.test_planners import FAULTS, inject, with_params

from reprise.domain import errors, paths, plan
from reprise.domain.mutation import Patch
from reprise.domain.scenario import Fault
from reprise.faults.mechanism import Json

# -- configuration ----------------------------------------------------------------------------------

REFERENCES: tuple[tuple[str, Json], ...] = (
    ("volume", {"volumes": [{"name": "v", "configMap": {"name": "settings"}}]}),
    (
        "projected",
        {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}]},
    ),
    (
        "variable",
        {"env": [{"name": "V", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]},
    ),
    ("all variables", {"envFrom": [{"configMapRef": {"name": "settings"}}]}),
)


@pytest.mark.parametrize(("how", "reference"), REFERENCES, ids=[how for how, _ in REFERENCES])
@pytest.mark.parametrize("where", ["containers", "initContainers"])
def test_readers_are_replaced(how: str, reference: Json, where: str) -> None:
    reader = shop.deployment("cart")
    spec = reader["spec"]["template"]["spec"]
    if "volumes" in reference:
        spec.update(reference)
    else:
        spec[where] = [{"name": "cart", "image": "x", **reference}]
        spec.setdefault("containers", [])
    there = observed(reader, config_map("settings", {"a": "1", "b": "2"}))
    injection = inject(Fault("config-map-key-removed", "ConfigMap", "settings", {"key": "a"}), observed=there)
    ref, workload = there.ref("ConfigMap", "settings"), there.ref("Deployment", "cart")
    assert injection.settle == (plan.RecyclePods(workload, after=ref),)
    assert injection.recover == (plan.RecyclePods(workload, after=ref), plan.WaitAvailable(workload))


@pytest.mark.parametrize(
    ("fault", "extra", "message"),
    [
        (
            Fault("config-map-key-removed", "ConfigMap", "unread"),
            config_map("unread", {"a": "1"}),
            "whose pods read ConfigMap/unread, found none",
        ),
        (
            Fault("config-map-key-removed", "ConfigMap", "database-init"),
            config_map("database-init", {"a": "1", "b": "2"}),
            "params.key: expected one of: a, b; found None",
        ),
        (
            with_params("config-map-key-removed", renamed="init.sql"),
            EXTRA[0],
            "not there, found one of: init",
        ),
        (with_params("config-map-key-removed", renamed="a/b"), EXTRA[0], "a key of a ConfigMap, found 'a/b'"),
        (with_params("config-map-key-removed", key="x"), EXTRA[0], "one of: init.sql; found 'x'"),
        (with_params("config-map-key-wrong", find="nowhere"), EXTRA[0], "none that reads 'nowhere'"),
        (with_params("config-map-key-wrong", find=""), EXTRA[0], "found an empty one"),
        (with_params("config-map-key-wrong", find="x", replace="x"), EXTRA[0], "another text than the one"),
    ],
)
def test_configuration_refuses(fault: Fault, extra: Json, message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message):
        inject(fault, observed=observed(extra))


def test_the_text_of_a_removed_key_stays_under_another() -> None:
    (mutation,) = inject(with_params("config-map-key-removed", renamed="init.txt")).mutations
    assert isinstance(mutation, Patch)
    assert [(paths.text(c.path), c.value) for c in mutation.changes] == [
        ('data["init.txt"]', SQL),
        ('data["init.sql"]', paths.ABSENT),
    ]
    (seeded,) = inject(FAULTS["config-map-key-removed"]).mutations
    assert isinstance(seeded, Patch)
    assert re.fullmatch(r'data\["init\.sql\.(old|orig|bak)"\]', paths.text(seeded.changes[0].path))


def test_every_occurrence_is_replaced_and_nothing_else() -> None:
    injection = inject(FAULTS["config-map-key-wrong"])
    assert patched(injection) == {
        "otel-demo/ConfigMap/database-init": ('data["init.sql"]', SQL.replace("products", "items"))
    }


# -- credentials ------------------------------------------------------------------------------------


def test_a_slip_is_never_the_present_value() -> None:
    values = set()
    for seed in range(60):
        injection = inject(FAULTS["secret-corrupted"], seed)
        (_, encoded) = patched(injection)["otel-demo/Secret/database-credentials"]
        values.add(base64.b64decode(encoded).decode())
    assert "otelp" not in values
    assert {"otel", "otelpp", "toelp"} <= values
    assert injection.settle == (
        plan.RecyclePods(observed().ref("Deployment", "database"), after=injection.causes[0].ref),
    )


@pytest.mark.parametrize(
    ("extra", "params", "message"),
    [
        (EXTRA[0], {"value": "otelp"}, "another value than the present one, found the same"),
        (secret("database-credentials", password=""), {}, "because Secret/database-credentials holds none"),
        (
            {**secret("database-credentials"), "data": {"password": "/w=="}},
            {},
            "one that holds text, found other bytes",
        ),
    ],
)
def test_secret_refuses_without_a_word_of_it(extra: Json, params: dict[str, str], message: str) -> None:
    with pytest.raises(errors.InvalidInput, match=message) as caught:
        inject(with_params("secret-corrupted", **params), observed=observed(extra))
    assert "otelp" not in str(caught.value)


def tls_reader() -> Json:
    reader = shop.deployment("frontend")
    reader["spec"]["template"]["spec"]["volumes"] = [
        {"name": "tls", "projected": {"sources": [{"secret": {"name": "storefront-tls"}}]}}
    ]
    return reader


def test_certificate_is_put_where_there_is_one() -> None:
    fault = FAULTS["tls-secret-expired"]
    there = observed(tls_reader(), secret("storefront-tls", "kubernetes.io/tls", **{"tls.crt": "x"}))
    injection = inject(fault, observed=there)
    (path, encoded) = patched(injection)["otel-demo/Secret/storefront-tls"]
    assert path == 'data["tls.crt"]'
    assert base64.b64decode(encoded).decode() == fault.params["certificate"]
    other = Fault(fault.mechanism, "Secret", "database-credentials", fault.params)
    with pytest.raises(
        errors.InvalidInput, match="one of: storefront-tls; found database-credentials of type"
    ):
        inject(other, observed=there)
    with pytest.raises(errors.InvalidInput, match="a certificate as PEM"):
        inject(with_params("tls-secret-expired", certificate="x"), observed=there)
