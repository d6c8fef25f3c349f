"""Images: what the key covers, which names are resolved, what an archive holds."""

import json
import tarfile
from pathlib import Path

import pytest

from reprise.cluster import archive, fill, gobuild, images
from reprise.domain import errors


def _pod(image: str, env: dict[str, str] | None = None) -> dict[str, object]:
    variables = [{"name": name, "value": value} for name, value in (env or {}).items()]
    container = {"name": "c", "image": image, "env": variables, "imagePullPolicy": "Always"}
    return {
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def _container(document: object) -> dict[str, object]:
    assert isinstance(document, dict)
    found = document["spec"]["template"]["spec"]["containers"][0]
    assert isinstance(found, dict)
    return found


def test_bare_names_are_resolved_and_pulled_only_if_absent() -> None:
    [resolved] = images.resolve([_pod("shop")], {"shop": "localhost/shop:abc"})
    assert _container(resolved)["image"] == "localhost/shop:abc"
    assert _container(resolved)["imagePullPolicy"] == "IfNotPresent"


def test_full_names_stay_as_they_are() -> None:
    given = _pod("example.com/team/shop:1.2")
    assert images.resolve([given], {"shop": "localhost/shop:abc"}) == [given]


def test_image_named_in_an_environment_variable_is_resolved() -> None:
    document = _pod("shop", {"AGENT_IMAGE": "agent", "SERVICE": "agent", "IMAGE_COUNT": "agent"})
    [resolved] = images.resolve([document], {"shop": "s:1", "agent": "a:1"})
    assert _container(resolved)["env"] == [
        {"name": "AGENT_IMAGE", "value": "a:1"},
        {"name": "SERVICE", "value": "agent"},
        {"name": "IMAGE_COUNT", "value": "agent"},
    ]


def test_all_unknown_names_are_reported_at_once() -> None:
    with pytest.raises(errors.NotFound, match=r"\['cart', 'shop'\]"):
        images.resolve([_pod("shop"), _pod("cart"), _pod("known")], {"known": "k:1"})


def test_the_given_objects_are_not_changed() -> None:
    given = _pod("shop")
    images.resolve([given], {"shop": "localhost/shop:abc"})
    assert _container(given)["image"] == "shop"


def _checkout(root: Path) -> Path:
    (root / "images" / "base").mkdir(parents=True)
    (root / "images" / "base" / "Containerfile").write_text("ARG DEBIAN\nFROM ${DEBIAN}\n")
    (root / "images" / "operator").mkdir()
    (root / "images" / "operator" / "Containerfile").write_text(
        "ARG BASE\nFROM ${BASE}\nCOPY src/pkg /app/pkg\n"
    )
    (root / "src" / "pkg").mkdir(parents=True)
    (root / "src" / "pkg" / "a.py").write_text("1\n")
    (root / "src" / "other.py").write_text("1\n")
    return root


def _key(root: Path, debian: str = "debian:1") -> str:
    return images.catalogue(root, debian, None)["reprise-operator"].key()


@pytest.mark.parametrize(
    "path", ["images/operator/Containerfile", "images/base/Containerfile", "src/pkg/a.py"], ids=str
)
def test_key_changes_with_what_the_image_copies(tmp_path: Path, path: str) -> None:
    before = _key(_checkout(tmp_path))
    with (tmp_path / path).open("a") as file:
        file.write("# more\n")
    assert _key(tmp_path) != before


def test_key_ignores_what_the_image_does_not_copy(tmp_path: Path) -> None:
    before = _key(_checkout(tmp_path))
    (tmp_path / "src" / "other.py").write_text("2\n")
    assert _key(tmp_path) == before


def test_key_changes_with_the_base(tmp_path: Path) -> None:
    assert _key(_checkout(tmp_path)) != _key(tmp_path, "debian:2")


def test_key_stays_while_sources_are_edited(tmp_path: Path) -> None:
    image = images.catalogue(_checkout(tmp_path), "debian:1", None)["reprise-operator"]
    before = image.key()
    (tmp_path / "src" / "pkg" / "a.py").write_text("2\n")
    assert image.key() == before


def test_inputs_that_do_not_exist_are_named(tmp_path: Path) -> None:
    root = _checkout(tmp_path)
    (root / "images" / "operator" / "image.yaml").write_text("inputs: [src/pkg, src/gone]\n")
    with pytest.raises(errors.NotFound, match="src/gone"):
        _key(root)


@pytest.mark.parametrize(
    "text",
    [
        "inputs: src\n",
        "input: [src]\n",
        "inputs: [1]\n",
        "- src\n",
        "inputs: []\nprograms: [etcd]\n",
        "inputs: []\nprograms: {etcd: server}\n",
    ],
)
def test_image_yaml_with_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    root = _checkout(tmp_path)
    (root / "images" / "operator" / "image.yaml").write_text(text)
    with pytest.raises(errors.InvalidInput, match=r"images/operator/image\.yaml"):
        _key(root)


def _with_programs(root: Path) -> Path:
    (root / "images" / "operator" / "image.yaml").write_text(
        "inputs: []\nprograms: {engine: [run, helper]}\n"
    )
    (root / "images" / "go" / "engine").mkdir(parents=True)
    (root / "images" / "go" / "engine" / "go.mod").write_text("module engine\n")
    return root


def test_an_image_with_programs_names_their_module_and_follows_its_pins(tmp_path: Path) -> None:
    root, toolchain = _with_programs(_checkout(tmp_path)), gobuild.GoToolchain("go1.26.8", "local")
    before = images.catalogue(root, "debian:1", toolchain)["reprise-operator"]
    assert [module.name for module in before.modules] == ["engine"]
    old = before.key()
    (root / "images" / "go" / "engine" / "go.mod").write_text("module engine\n\ngo 1.26.0\n")
    assert images.catalogue(root, "debian:1", toolchain)["reprise-operator"].key() != old


def test_an_image_may_do_without_a_program(tmp_path: Path) -> None:
    root = _with_programs(_checkout(tmp_path))
    path = root / "images" / "operator" / "image.yaml"
    path.write_text(path.read_text().replace("programs", "optional_programs"))
    assert images.catalogue(root, "debian:1", None)["reprise-operator"].modules == ()
    built = images.catalogue(root, "debian:1", gobuild.GoToolchain("go1.26.8", "local"))
    assert [module.name for module in built["reprise-operator"].modules] == ["engine"]


def test_an_image_with_programs_needs_a_toolchain(tmp_path: Path) -> None:
    assert "reprise-operator" not in images.catalogue(_with_programs(_checkout(tmp_path)), "debian:1", None)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("etcd", ["-trimpath", "-ldflags", "-s -w"]),
        ("chaos-mesh", ["-tags", "netgo,osusergo", "-extldflags=-static"]),
        ("prometheus", ["-tags", "remove_all_sd,enable_kubernetes_sd"]),
    ],
)
def test_programs_that_call_c_are_linked_statically(tmp_path: Path, module: str, words: list[str]) -> None:
    flags = gobuild.GoModule(tmp_path / module, gobuild.GoToolchain("go1.26.8", "local")).flags()
    assert not [word for word in words if word not in " ".join(flags)]
    assert ("-static" in " ".join(flags)) == (module == "chaos-mesh")


def test_copies_from_other_stages_and_the_own_folder_are_no_inputs(tmp_path: Path) -> None:
    (tmp_path / "own.txt").touch()
    text = "COPY own.txt /a\nCOPY --from=jars /build/lib/ /b/\nCOPY --chown=1:1 src/one \\\n  src/two/ /c/\n"
    assert images.copied_from_repository(text, tmp_path) == ("src/one", "src/two")


def test_archive_holds_the_program_under_its_tag(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    out, again = tmp_path / "image.tar", tmp_path / "again.tar"
    for path in (out, again):
        archive.write(path, ["localhost/x:1"], ["/usr/bin/x"], {"/usr/bin/x": program})
    assert out.read_bytes() == again.read_bytes()
    with tarfile.open(out) as tar:
        [manifest] = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        with tarfile.open(fileobj=tar.extractfile(manifest["Layers"][0])) as layer:
            entry = layer.getmember("usr/bin/x")
            assert (entry.mode, entry.size) == (0o755, 4)
            assert layer.getmember("tmp").mode == 0o1777
    assert manifest["RepoTags"] == ["localhost/x:1"]
    assert config["config"]["Entrypoint"] == ["/usr/bin/x"]
    assert not list(tmp_path.glob("*.layer"))


def test_the_shop_for_another_processor_can_be_imported_all_the_same(tmp_path: Path) -> None:
    toolchain = gobuild.GoToolchain("go1.26.8", "local")
    root = _checkout(tmp_path)
    (root / "images" / "go" / "pause").mkdir(parents=True)
    (root / "images" / "go" / "pause" / "main.go").write_text("package main\n")
    built = images.catalogue(root, "debian:1", toolchain)
    foreign, usual = built["otel-demo-lite-arm64"], built["pause"]
    assert [module.architecture for image in (foreign, usual) for module in image.modules] == [
        "arm64",
        "amd64",
    ]
    assert foreign.modules[0].key() != usual.modules[0].key()
    assert images.reference(foreign).startswith("localhost/otel-demo-lite-arm64:")
    assert isinstance(foreign, images.StaticImage)
    # a pod's own command must find a program, or it dies of another reason
    assert {"/app/run/postgresql", "/app/run/valkey"} <= set(foreign.also)
    supply = fill.Supply(built, {})
    assert supply.siblings(["pause", "otel-demo-lite"]) == ["otel-demo-lite-arm64"]
    assert fill.Supply(built, {"otel-demo-lite": "x"}).siblings(["otel-demo-lite"]) == []
