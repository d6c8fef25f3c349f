"""`reprise up` and `down` on clusters of their own: fast second time, repair, nothing left behind."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.waiting import eventually

from reprise.cluster import engine, kind, paths

NAME = "selftest"
FOREIGN = "foreign"
KUBEADM_WAITS = 60  # seconds, for an answer to its first call, unless it is told otherwise
REPRISE = (sys.executable, "-c", "from reprise.cli.main import main; main()")


def reprise(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*REPRISE, *words], capture_output=True, text=True, timeout=900, check=False)


def up() -> str:
    """What the command said; it must have worked."""
    done = reprise("up", "--bare", "--name", NAME)
    assert done.returncode == 0, done.stderr
    return done.stderr


def podman(*words: str) -> str:
    env = {**os.environ, **engine.environment(paths.cache_dir())}
    return subprocess.run(
        ["podman", *words], capture_output=True, text=True, env=env, timeout=330, check=True
    ).stdout


def containers(name: str = NAME) -> dict[str, str]:
    """Name → id of the cluster's containers."""
    label = f"label={kind.LABEL_CLUSTER}={kind.cluster_name(name)}"
    lines = podman("ps", "--all", "--filter", label, "--format", "{{.Names}} {{.ID}}").splitlines()
    return dict(line.split() for line in lines)  # type: ignore[misc]


def kubectl(*words: str) -> "subprocess.CompletedProcess[bytes]":
    command = [paths.kubectl_path(), "--kubeconfig", paths.kubeconfig_path(NAME), *words]
    return subprocess.run(command, capture_output=True, timeout=330, check=False)


def ready_nodes() -> set[str]:
    said = kubectl("get", "nodes", "-o", "json")
    said.check_returncode()
    items = json.loads(said.stdout)["items"]
    return {
        item["metadata"]["name"]
        for item in items
        if any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"]["conditions"])
    }


def has_dns() -> bool:
    """True when a rollout of CoreDNS is complete: its pods run and answer their probes."""
    watched = kubectl("rollout", "status", "deployment/coredns", "-n", "kube-system", "--timeout=300s")
    return watched.returncode == 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("a closed-network cluster needs root")
    reprise("down", "--name", NAME)
    up()
    yield
    reprise("down", "--name", NAME)


@pytest.mark.usefixtures("cluster")
def test_second_up_builds_and_makes_nothing() -> None:
    before = containers()
    said = up()
    assert containers() == before
    assert len(before) == 2
    for word in ("compile", "image", "cluster with", "making it anew"):
        assert word not in said


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("role", ["control-plane", "worker"])
def test_kind_need_not_wait_for_the_images(role: str) -> None:
    node = f"{kind.cluster_name(NAME)}-{role}"
    spoken = podman("logs", "--timestamps", node).splitlines()
    ready = next(line.split()[0] for line in spoken if "detected cgroup" in line)
    imported = podman("exec", node, "date", "-u", "+%FT%T.%NZ", "-r", "/var/lib/containerd/.images-imported")
    assert dt.datetime.fromisoformat(ready) < dt.datetime.fromisoformat(imported.strip())


@pytest.mark.usefixtures("cluster")
def test_static_pods_have_images_on_the_control_plane_alone() -> None:
    found = {
        role: podman("exec", f"{kind.cluster_name(NAME)}-{role}", "ctr", "-n", "k8s.io", "images", "ls", "-q")
        for role in ("control-plane", "worker")
    }
    assert "etcd" in found["control-plane"]
    assert "kube-proxy" in found["worker"]
    assert not any(name in found["worker"] for name in ("etcd", "kube-apiserver", "kube-scheduler"))


@pytest.mark.usefixtures("cluster")
def test_dead_worker_is_started_again() -> None:
    before = containers()
    podman("kill", f"{kind.cluster_name(NAME)}-worker")
    assert "started again" in up()
    assert containers() == before
    assert ready_nodes() == set(before)


@pytest.mark.usefixtures("cluster")
def test_cluster_comes_back_after_a_reboot_with_other_addresses() -> None:
    before = containers()
    podman("kill", *before)
    # takes the address that the first node had
    squatter = podman(
        "run", "--detach", "--rm", "--net", engine.NETWORK, _some_image(), "sleep", "600"
    ).strip()
    try:
        assert "started again" in up()
        assert containers() == before
        assert ready_nodes() == set(before)
        assert has_dns()
    finally:
        podman("rm", "--force", squatter)


def services(node: str) -> set[str]:
    """The addresses of Services that the node's kernel knows the way for, after a sync of kube-proxy."""
    deadline = time.monotonic() + 60
    while not kube_proxy_has_synced(node):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    said = podman("exec", node, "nft", "-j", "list", "map", "ip", "kube-proxy", "service-ips")
    (found,) = [item["map"] for item in json.loads(said)["nftables"] if "map" in item]
    return {json.dumps(key) for key, _ in found.get("elem", ())}


def kube_proxy_has_synced(node: str) -> bool:
    """It says so itself, where its health is asked for."""
    address = podman("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", node)
    try:
        with urllib.request.urlopen(f"http://{address.split()[0]}:10256/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.usefixtures("cluster")
def test_services_outlive_a_full_sync_of_kube_proxy() -> None:
    """At its start, and every hour, it compares what the kernel has with what it should have."""
    nodes = containers()
    assert has_dns()
    before = {node: services(node) for node in nodes}
    assert all(len(known) >= 4 for known in before.values()), before
    deleted = kubectl("delete", "pod", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "--timeout=300s")
    deleted.check_returncode()
    assert {node: services(node) for node in nodes} == before


def interrupt_its_making() -> None:
    record = paths.state_dir(NAME) / "state.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "finished": False}))


def kill_its_processes() -> None:
    """Those that would tell Podman of it first: it takes the containers for running ones from then on."""
    for node in containers():
        for process in podman("inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", node).split():
            os.kill(int(process), signal.SIGKILL)
    assert podman("inspect", "--format", "{{.State.Status}}", *containers()).split() == ["running"] * 2


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(interrupt_its_making, "its making did not end", id="half made"),
        pytest.param(kill_its_processes, "with no process left", id="no process left"),
    ],
)
def test_cluster_beyond_repair_is_made_anew(spoil: Callable[[], None], reason: str) -> None:
    before = containers()
    spoil()
    said = up()
    assert "making it anew" in said
    assert reason in said
    after = containers()
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    assert ready_nodes() == set(after)


def import_of(image: str) -> int | None:
    """The process in which a node, whichever, imports this image now."""
    found = subprocess.run(
        ["pgrep", "--oldest", "--full", f"ctr .*images import .*/{image}.tar"],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(found.stdout) if found.returncode == 0 else None


def asks_for_its_api(node: str) -> bool:
    """Whether kubeadm, which writes this file first, has begun to call the API server."""
    said = subprocess.run(
        ["podman", "exec", node, "test", "-e", "/var/lib/kubelet/config.yaml"],
        env={**os.environ, **engine.environment(paths.cache_dir())},
        capture_output=True,
        check=False,
    )
    return said.returncode == 0


@pytest.mark.usefixtures("cluster")
def test_cluster_is_made_although_kubeadm_would_not_wait_for_its_images() -> None:
    interrupt_its_making()
    before = containers()
    with subprocess.Popen(
        [*REPRISE, "up", "--bare", "--name", NAME], stderr=subprocess.PIPE, text=True
    ) as making:
        importing = eventually(lambda: import_of("kube-apiserver"), "the import of an image", pause=0.05)
        os.kill(importing, signal.SIGSTOP)
        eventually(lambda: asks_for_its_api(f"{kind.cluster_name(NAME)}-control-plane"), "kubeadm's turn")
        time.sleep(KUBEADM_WAITS + 5)
        os.kill(importing, signal.SIGCONT)
        said = making.communicate(timeout=900)[1]
    assert making.returncode == 0, said
    after = containers()
    assert not set(after.values()) & set(before.values())
    assert ready_nodes() == set(after)


@pytest.mark.usefixtures("cluster")
def test_status_as_json() -> None:
    found = json.loads(reprise("status", "--name", NAME, "-o", "json").stdout)
    assert (found["condition"], found["apiReady"]) == ("running", True)
    assert {node["name"] for node in found["nodes"]} == set(containers())


@pytest.mark.usefixtures("cluster")
def test_down_leaves_nothing_and_touches_nobody_else() -> None:
    others = set(podman("ps", "--all", "--format", "{{.ID}}").split()) - {
        i[:12] for i in containers().values()
    }
    mounts = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
    volumes = set(podman("inspect", "--format", mounts, *containers()).split())
    other_volumes = set(podman("volume", "ls", "--quiet").split()) - volumes
    own_config = Path.home() / ".kube" / "config"
    config_before = own_config.read_bytes() if own_config.exists() else None
    assert reprise("down", "--name", NAME).returncode == 0
    assert containers() == {}
    assert volumes
    assert not volumes & set(podman("volume", "ls", "--quiet").split())
    assert others <= set(podman("ps", "--all", "--format", "{{.ID}}").split())
    assert other_volumes <= set(podman("volume", "ls", "--quiet").split())
    assert not paths.kubeconfig_path(NAME).exists()
    assert (own_config.read_bytes() if own_config.exists() else None) == config_before


@pytest.mark.parametrize("command", [("up", "--bare"), ("down",)])
def test_containers_of_somebody_else_are_left_alone(command: tuple[str, ...]) -> None:
    label = f"{kind.LABEL_CLUSTER}={kind.cluster_name(FOREIGN)}"
    made = podman("create", "--label", label, _some_image(), "sleep", "1").strip()
    try:
        done = reprise(*command, "--name", FOREIGN)
        assert done.returncode == 1
        assert "not remember" in done.stderr
        assert made[:12] in {one[:12] for one in containers(FOREIGN).values()}
    finally:
        podman("rm", "--force", made)


def _some_image() -> str:
    found = podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    return next(name for name in found if name.startswith("localhost/reprise-debian:"))
