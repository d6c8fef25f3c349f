"""The lite shop against the demo that it stands for: names, ports, environment, labels, flags.

`tests/data/otel-demo-2.2.0.json` is what chart 0.40.10 renders. Whatever differs is listed here with its
reason; a difference that is not in a list fails, and so does an entry of a list that is no difference.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LITE = ROOT / "manifests" / "otel-demo"
Manifest = dict[str, Any]

# A Python process needs more than the compiled program that it stands for.
MEMORY = {
    "checkout": "100Mi",
    "currency": "80Mi",
    "frontend-proxy": "100Mi",
    "image-provider": "80Mi",
    "postgresql": "160Mi",  # its page cache counts
    "product-catalog": "100Mi",
    "product-reviews": "120Mi",
    "quote": "80Mi",
    "shipping": "80Mi",
}

# Added to every container that has OTEL_SERVICE_NAME: telemetry says which pod and namespace it comes from.
RESOURCE_ENV = {"POD_NAME", "POD_NAMESPACE", "OTEL_RESOURCE_ATTRIBUTES"}
ADDED_ENV = {
    # The rate and the order of visits are settings.
    "load-generator": RESOURCE_ENV | {"LOAD_VISITS_PER_USER_SECOND", "LOAD_SEED"},
    # The broker sends no telemetry of its own.
    "kafka": set(),
    # The database's password comes from a Secret, as it does wherever somebody looks after an application.
    "accounting": RESOURCE_ENV | {"DB_PASSWORD"},
    "product-catalog": RESOURCE_ENV | {"DB_PASSWORD"},
    "product-reviews": RESOURCE_ENV | {"DB_PASSWORD"},
}
CHANGED_ENV = {
    ("kafka", "KAFKA_HEAP_OPTS"): "-Xmx256M -Xms128M",
    ("accounting", "DB_CONNECTION_STRING"): (
        "Host=postgresql;Username=otelu;Password=$(DB_PASSWORD);Database=otel"
    ),
    ("product-catalog", "DB_CONNECTION_STRING"): (
        "postgres://otelu:$(DB_PASSWORD)@postgresql/otel?sslmode=disable"
    ),
    ("product-reviews", "DB_CONNECTION_STRING"): (
        "host=postgresql user=otelu password=$(DB_PASSWORD) dbname=otel"
    ),
}
ADDED_SECRETS = {"postgresql-credentials"}

# The demo's collector is not part of the application: its name leads to the cluster's.
ADDED_SERVICES = {"otel-collector"}
# Grafana is not part of the application either.
MISSING_CONFIG_MAPS = re.compile("grafana-.*")


@pytest.fixture(scope="module")
def reference() -> Manifest:
    loaded: Manifest = json.loads((ROOT / "tests" / "data" / "otel-demo-2.2.0.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def objects() -> list[Manifest]:
    """Every object that the kustomization names, without a kustomize program."""
    kustomization = yaml.safe_load((LITE / "kustomization.yaml").read_text())
    found = [
        document
        for resource in kustomization["resources"]
        for document in yaml.safe_load_all((LITE / resource).read_text())
    ]
    for generated in kustomization["configMapGenerator"]:
        files = {Path(name).name: (LITE / name).read_text() for name in generated["files"]}
        found.append({"kind": "ConfigMap", "metadata": {"name": generated["name"]}, "data": files})
    assert kustomization["generatorOptions"]["disableNameSuffixHash"] is True
    return found


def by_name(objects: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def environment(container: Manifest) -> Manifest:
    """Name → value, in the reference's form."""
    return {
        one["name"]: one["value"] if "value" in one else {"from": next(iter(one["valueFrom"]))}
        for one in container.get("env", [])
    }


def expected_environment(name: str, declared: Manifest) -> Manifest:
    return {key: CHANGED_ENV.get((name, key), value) for key, value in declared.items()}


def described(deployment: Manifest) -> Manifest:
    """A Deployment in the reference's form, without images and with the container's own additions to env."""
    pod = deployment["spec"]["template"]["spec"]
    return {
        "kind": deployment["kind"],
        "replicas": deployment["spec"]["replicas"],
        "selector": deployment["spec"]["selector"]["matchLabels"],
        "podLabels": deployment["spec"]["template"]["metadata"]["labels"],
        "serviceAccount": pod["serviceAccountName"],
        "initContainers": [container["name"] for container in pod.get("initContainers", [])],
        "containers": [
            {
                "name": container["name"],
                "ports": container.get("ports", []),
                "env": environment(container),
                "memoryLimit": container["resources"].get("limits", {}).get("memory"),
                "probes": [key for key in container if key.endswith("Probe")],
                "mounts": {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])},
            }
            for container in pod["containers"]
        ],
        "volumes": {
            volume["name"]: volume.get("configMap", {}).get("name")
            or next(key for key in volume if key != "name")
            for volume in pod.get("volumes", [])
        },
    }


def meant(name: str, workload: Manifest) -> Manifest:
    """The reference's workload with the differences that are meant."""
    containers = []
    for container in workload["containers"]:
        wanted = {key: value for key, value in container.items() if key != "image"}
        wanted["memoryLimit"] = MEMORY.get(container["name"], container["memoryLimit"])
        wanted["env"] = expected_environment(name, container["env"])
        containers.append(wanted)
    return {**workload, "containers": containers}


def without_added_environment(name: str, deployment: Manifest, workload: Manifest) -> Manifest:
    """Take away what is added to env; fails where the addition is missing."""
    for container, declared in zip(deployment["containers"], workload["containers"], strict=True):
        added = ADDED_ENV.get(name, RESOURCE_ENV) if "OTEL_SERVICE_NAME" in declared["env"] else set()
        assert set(container["env"]) - set(declared["env"]) == added, f"{name}/{container['name']}"
        container["env"] = {key: value for key, value in container["env"].items() if key not in added}
    return deployment


def test_every_workload_is_the_demos(reference: Manifest, objects: list[Manifest]) -> None:
    lite = {name: described(one) for name, one in by_name(objects, "Deployment").items()}
    assert set(lite) == set(reference["workloads"])
    for name, workload in reference["workloads"].items():
        assert without_added_environment(name, lite[name], workload) == meant(name, workload), name


def test_the_lists_of_differences_hold_differences_only(reference: Manifest) -> None:
    limits = {
        container["name"]: container["memoryLimit"]
        for workload in reference["workloads"].values()
        for container in workload["containers"]
    }
    assert not {name for name, limit in MEMORY.items() if limits[name] == limit}
    for (workload, key), value in CHANGED_ENV.items():
        assert reference["workloads"][workload]["containers"][0]["env"][key] != value


def test_every_service_is_the_demos(reference: Manifest, objects: list[Manifest]) -> None:
    services = by_name(objects, "Service")
    assert set(services) - set(reference["services"]) == ADDED_SERVICES
    for name, service in reference["services"].items():
        spec = services[name]["spec"]
        assert {key: spec[key] for key in ("type", "selector", "ports")} == service, name


def test_every_config_map_of_the_application_is_there(reference: Manifest, objects: list[Manifest]) -> None:
    lite = {name: sorted(one["data"]) for name, one in by_name(objects, "ConfigMap").items()}
    wanted = {
        name: sorted(keys)
        for name, keys in reference["configMaps"].items()
        if not MISSING_CONFIG_MAPS.fullmatch(name)
    }
    assert lite == wanted


def test_the_secret_opens_the_database(reference: Manifest, objects: list[Manifest]) -> None:
    """The release has no Secret: the connection strings with the password filled in are the release's."""
    secrets = by_name(objects, "Secret")
    assert set(secrets) == ADDED_SECRETS
    password = base64.b64decode(secrets["postgresql-credentials"]["data"]["password"]).decode()
    role = f"CREATE ROLE otelu LOGIN PASSWORD '{password}';"
    assert role in (LITE / "config" / "init.sql").read_text()
    for (workload, key), value in CHANGED_ENV.items():
        if key == "DB_CONNECTION_STRING":
            declared = reference["workloads"][workload]["containers"][0]["env"][key]
            assert value.replace("$(DB_PASSWORD)", password) == declared
            (container,) = by_name(objects, "Deployment")[workload]["spec"]["template"]["spec"]["containers"]
            names = [one["name"] for one in container["env"]]
            # Kubernetes fills in only what stands before.
            assert names.index("DB_PASSWORD") < names.index(key)


def test_service_account_is_there(reference: Manifest, objects: list[Manifest]) -> None:
    assert [f"ServiceAccount/{name}" for name in by_name(objects, "ServiceAccount")] == reference["other"]


def test_flags_are_the_demos(reference: Manifest) -> None:
    flags = json.loads((LITE / "config" / "demo.flagd.json").read_text())["flags"]
    assert {
        key: {
            "variants": flag["variants"],
            "defaultVariant": flag["defaultVariant"],
            "targeting": flag.get("targeting"),
        }
        for key, flag in flags.items()
    } == reference["flags"]
    assert {flag["state"] for flag in flags.values()} == {"ENABLED"}


def test_images_are_names_that_the_builder_resolves(objects: list[Manifest]) -> None:
    pods = [one["spec"]["template"]["spec"] for one in by_name(objects, "Deployment").values()]
    containers = [one for pod in pods for one in [*pod.get("initContainers", []), *pod["containers"]]]
    assert {container["image"] for container in containers} == {"otel-demo-lite", "otel-demo-kafka"}


def test_every_container_plays_a_service_that_exists(objects: list[Manifest]) -> None:
    modules = {
        path.stem.replace("_", "-") for path in (ROOT / "images/otel-demo-lite/shop/services").glob("*.py")
    }
    played = {
        argument
        for one in by_name(objects, "Deployment").values()
        for container in one["spec"]["template"]["spec"]["containers"]
        for argument in container.get("args", [])
    }
    assert played == modules - {"--init--"}


def test_nothing_says_whose_it_is() -> None:
    """What an agent can read must not name the product; and the namespace stands in one line only."""
    folders = (LITE, ROOT / "images" / "otel-demo-lite", ROOT / "images" / "otel-demo-kafka")
    texts = {
        path: path.read_text()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "cache" not in str(path.relative_to(ROOT))
    }
    assert texts
    telling = re.compile(r"reprise|benchmark|chaos|inject(?!\b|\()|incident", re.IGNORECASE)
    assert {path.name: found.group() for path, text in texts.items() if (found := telling.search(text))} == {}
    namespaces = {
        path.name for path, text in texts.items() if re.search(r"^\s*namespace:", text, re.MULTILINE)
    }
    assert namespaces == {"kustomization.yaml"}
