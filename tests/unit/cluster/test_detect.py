"""Which way to a cluster, what is missing for it, and what stands there already."""

from pathlib import Path

import pytest

from reprise.cluster import detect, gobuild, hostpackages, nodes, state
from reprise.cluster.detect import Facts
from reprise.cluster.state import Condition, NodeContainer, Remembered
from reprise.domain import errors

PULLABLE = Facts(existing=False, engine="docker", has_kind=True, pullable=True)
NO_REGISTRY = Facts(
    existing=False, engine="podman", has_kind=True, pullable=False, why_not="podman cannot fetch it"
)
BARE = Facts(existing=False, engine=None, has_kind=False, pullable=False, why_not="neither answers")
NAMED = Facts(existing=True, engine=None, has_kind=False, pullable=False)


@pytest.mark.parametrize(
    ("asked", "facts", "profile"),
    [
        pytest.param("auto", NAMED, "existing", id="a named kubeconfig wins"),
        pytest.param("pull", NAMED, "existing", id="a named kubeconfig wins over pull"),
        pytest.param("auto", PULLABLE, "pull", id="registry answers"),
        pytest.param("auto", NO_REGISTRY, "build", id="no registry"),
        pytest.param("auto", BARE, "build", id="no engine"),
        pytest.param("build", PULLABLE, "build", id="build asked for"),
        pytest.param("pull", PULLABLE, "pull", id="pull asked for"),
    ],
)
def test_decision(asked: str, facts: Facts, profile: str) -> None:
    assert detect.decide(asked, facts).profile == profile


@pytest.mark.parametrize(
    ("asked", "facts", "words"),
    [
        ("pull", NO_REGISTRY, "cannot fetch"),
        ("pull", BARE, "neither answers"),
        ("build", NAMED, "leave one out"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(asked: str, facts: Facts, words: str) -> None:
    with pytest.raises(errors.Unsupported, match=words):
        detect.decide(asked, facts)


def _host(**changes: object) -> hostpackages.Host:
    values: dict[str, object] = {
        "root": True,
        "debian": True,
        "has_go": True,
        "free_gib": 80.0,
        "missing": (),
    }
    return hostpackages.Host(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "warm", "words"),
    [
        pytest.param(_host(), False, [], id="all there"),
        pytest.param(_host(missing=("podman",)), False, [], id="installed on Debian as root"),
        pytest.param(
            _host(missing=("podman", "runc"), debian=False), False, ["install podman runc"], id="elsewhere"
        ),
        pytest.param(_host(root=False), False, ["run it as root"], id="not root"),
        pytest.param(_host(has_go=False), False, ["expected Go"], id="no Go"),
        pytest.param(_host(free_gib=10.0), False, ["found 10 GiB"], id="disk too small for a cold build"),
        pytest.param(_host(free_gib=10.0), True, [], id="the same disk is enough once built"),
        pytest.param(
            _host(root=False, has_go=False, free_gib=1.0, missing=("podman",)),
            False,
            ["run it as root", "expected Go", "found 1 GiB", "install podman"],
            id="all problems at once",
        ),
    ],
)
def test_host_problems(host: hostpackages.Host, warm: bool, words: list[str]) -> None:
    found = hostpackages.problems(host, warm)
    assert len(found) == len(words)
    assert all(word in problem for word, problem in zip(words, found, strict=True))


def test_missing_packages_are_named_as_debian_names_them() -> None:
    assert hostpackages.missing_packages(lambda program: program not in ("nft", "podman")) == [
        "nftables",
        "podman",
    ]


CONTROL_PLANE = NodeContainer("local-control-plane", "control-plane", "running", "n:1")
WORKER = NodeContainer("local-worker", "worker", "running", "n:1")
DEAD = NodeContainer("local-worker", "worker", "exited", "n:1")
MADE = Remembered("reprise", "build", 1, 16443, "n:1", finished=True)
BEGUN = Remembered("reprise", "build", 1, 16443, "n:1", finished=False)


@pytest.mark.parametrize(
    ("pids", "alive"),
    [
        pytest.param([11, 12], False, id="both killed together with their monitors"),
        pytest.param([2, 11], False, id="one has ended and is not yet reaped"),
        pytest.param([2, 1], True, id="one is there"),
        pytest.param([11, 0], True, id="the engine names none"),
    ],
)
def test_containers_without_a_process_are_told(pids: list[int], alive: bool, tmp_path: Path) -> None:
    for known in ("self", "1", "2"):
        (tmp_path / known).mkdir()
    # Of 2, which has ended, nothing is left but its number.
    (tmp_path / "1" / "exe").symlink_to("/usr/bin/sleep")
    found = [NodeContainer(f"local-{pid}", "worker", "running", "n:1", pid) for pid in pids]
    assert nodes.have_processes(found, proc=tmp_path) is alive


def test_without_processes_to_look_at_the_engine_is_believed(tmp_path: Path) -> None:
    assert nodes.have_processes(
        [NodeContainer("local-worker", "worker", "running", "n:1", 11)], proc=tmp_path
    )


@pytest.mark.parametrize(
    ("remembered", "nodes", "kubeconfig", "condition", "reason"),
    [
        pytest.param(None, [], False, Condition.ABSENT, "no containers", id="nothing"),
        pytest.param(MADE, [], True, Condition.ABSENT, "no containers", id="somebody removed the containers"),
        pytest.param(MADE, [CONTROL_PLANE, WORKER], True, Condition.RUNNING, "2 containers", id="running"),
        pytest.param(MADE, [CONTROL_PLANE, DEAD], True, Condition.STOPPED, "local-worker", id="a node died"),
        pytest.param(
            BEGUN, [CONTROL_PLANE, WORKER], True, Condition.HALF_MADE, "did not end", id="interrupted"
        ),
        pytest.param(MADE, [CONTROL_PLANE], True, Condition.HALF_MADE, "found 1", id="a node is gone"),
        pytest.param(
            MADE, [CONTROL_PLANE, WORKER], False, Condition.HALF_MADE, "kubeconfig", id="kubeconfig gone"
        ),
        pytest.param(None, [CONTROL_PLANE], True, Condition.FOREIGN, "not remember", id="not ours"),
    ],
)
def test_recognition(
    remembered: Remembered | None,
    nodes: list[NodeContainer],
    kubeconfig: bool,
    condition: Condition,
    reason: str,
) -> None:
    found, why = state.recognise(remembered, nodes, kubeconfig)
    assert found is condition
    assert reason in why


@pytest.mark.parametrize(
    ("installed", "setting", "version"),
    [
        ("go1.26.8", "local", "go1.26.8"),
        ("go1.27", "local", "go1.27"),
        ("go1.26.5", gobuild.FETCHED_GO, gobuild.FETCHED_GO),
        ("go1.21.0", gobuild.FETCHED_GO, gobuild.FETCHED_GO),
    ],
)
def test_toolchain(installed: str, setting: str, version: str) -> None:
    assert gobuild.choose_toolchain(installed) == gobuild.GoToolchain(version, setting)


@pytest.mark.parametrize("installed", ["go1.19.8", "devel", ""])
def test_go_too_old_to_fetch_another(installed: str) -> None:
    with pytest.raises(errors.Unsupported, match="expected"):
        gobuild.choose_toolchain(installed)


def test_key_of_a_module_changes_with_compiler_and_pins(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "tool"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n\ntool example.com/cmd\n")
    (folder / "go.sum").write_text("")
    one = gobuild.GoModule(folder, gobuild.GoToolchain("go1.26.8", "local"))
    assert one.packages() == ["tool"]
    other_compiler = gobuild.GoModule(folder, gobuild.GoToolchain("go1.27.0", "local"))
    fetched = gobuild.GoModule(folder, gobuild.GoToolchain("go1.26.8", "go1.26.8"))
    before = one.key()
    assert before != other_compiler.key()
    assert before == fetched.key()
    (folder / "go.sum").write_text("example.com v1.0.0 h1:x\n")
    assert one.key() != before
