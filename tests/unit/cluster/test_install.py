"""What is applied, how tools fail, what status says."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reprise.cluster import fill, install, kind, nodes, paths, repair, report, stand, state
from reprise.cluster.state import Condition, Remembered
from reprise.cluster.tools import Tools
from reprise.domain import errors


def test_strings_that_yaml_1_1_takes_for_booleans_survive() -> None:
    assert '"n"' in install.dump([{"required": ["n", "yes"]}])
    assert list(yaml.safe_load_all(install.dump([{"a": "n"}, {"b": 1}]))) == [{"a": "n"}, {"b": 1}]


def test_namespaces_and_crds_come_first() -> None:
    documents = [
        {"kind": kind_} for kind_ in ("Deployment", "Namespace", "CustomResourceDefinition", "Service")
    ]
    base, rest = install.split(documents)
    assert [install.kind_of(d) for d in base] == ["Namespace", "CustomResourceDefinition"]
    assert [install.kind_of(d) for d in rest] == ["Deployment", "Service"]


def test_application_that_no_config_map_can_hold_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="1000000 bytes"):
        install.application_config_map([{"data": "x" * 1_000_000}])


def test_endpoints_have_the_names_that_others_read() -> None:
    data = install.endpoints_config_map("https://127.0.0.1:16443")["data"]
    assert data == {
        "prometheus": "http://prometheus.observability.svc:9090",
        "jaeger": "http://jaeger.observability.svc:16686",
        "gateway": "https://gateway.reprise-system.svc:443",
        "gatewayExternal": "https://127.0.0.1:16443",
    }


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(
            {"phase": "Running", "containerStatuses": [{"name": "c", "ready": True}]}, None, id="ready"
        ),
        pytest.param({"phase": "Succeeded"}, None, id="done"),
        pytest.param(
            {
                "containerStatuses": [
                    {
                        "name": "c",
                        "ready": False,
                        "state": {"waiting": {"reason": "ErrImagePull", "message": "no x"}},
                    }
                ]
            },
            "c ErrImagePull: no x",
            id="image missing",
        ),
        pytest.param(
            {
                "containerStatuses": [
                    {
                        "name": "c",
                        "ready": False,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"reason": "OOMKilled"}},
                    }
                ]
            },
            "c CrashLoopBackOff, last ended with OOMKilled",
            id="crashing",
        ),
        pytest.param(
            {
                "phase": "Pending",
                "conditions": [{"status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}],
            },
            "Unschedulable: 0/2 nodes",
            id="unschedulable",
        ),
    ],
)
def test_unready_pods_are_explained(status: dict[str, object], words: str | None) -> None:
    found = install.unready([{"metadata": {"name": "p"}, "status": status}])
    assert found == ([] if words is None else [f"pod p: {words}"])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"containerStatuses": [{"ready": False, "restartCount": 3}]}, True),
        ({"containerStatuses": [{"ready": True, "restartCount": 3}]}, False),
        ({"containerStatuses": [{"ready": False, "restartCount": 1}]}, False),
        (
            {"containerStatuses": [{"ready": False, "state": {"waiting": {"reason": "InvalidImageName"}}}]},
            True,
        ),
        ({"phase": "Pending"}, False),
    ],
)
def test_waiting_ends_early_only_when_it_is_hopeless(status: dict[str, object], expected: bool) -> None:
    assert install.hopeless([{"metadata": {"name": "p"}, "status": status}]) is expected


@pytest.mark.parametrize(
    ("taints", "expected"),
    [
        ([], True),
        ([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}], False),
        ([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}], True),
        ([{"key": "team", "effect": "PreferNoSchedule"}], True),
    ],
)
def test_nodes_that_take_pods(taints: list[dict[str, str]], expected: bool) -> None:
    assert repair.takes_pods({"spec": {"taints": taints}}) is expected


def test_images_that_nobody_supplies_are_named_together() -> None:
    supply = fill.Supply(built={}, published={"prometheus": "example.com/prometheus:1"})
    with pytest.raises(errors.NotFound, match=r"\['cart', 'shop'\]"):
        supply.check(["cart", "prometheus", "shop"])
    assert supply.references(["prometheus"]) == {"prometheus": "example.com/prometheus:1"}


def _cluster(closed: bool, workers: int) -> dict[str, Any]:
    text = kind.KindCluster("reprise", workers, 16343, 16443, Path("/d"), Path("/a"), closed).config()
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_node_sees_data_and_archives(workers: int) -> None:
    found = _cluster(True, workers)["nodes"]
    assert isinstance(found, list)
    assert [one["role"] for one in found] == ["control-plane"] + ["worker"] * workers
    for one in found:
        mounts = {mount["containerPath"]: mount["hostPath"] for mount in one["extraMounts"]}
        assert mounts == {"/var/lib/reprise": "/d", "/kind/archives": "/a"}
    [port] = found[0]["extraPortMappings"]
    assert (port["listenAddress"], port["hostPort"], port["containerPort"]) == ("127.0.0.1", 16443, 30443)


def test_only_nodes_of_ours_go_without_kinds_network() -> None:
    assert "disableDefaultCNI" in str(_cluster(True, 1))
    assert "disableDefaultCNI" not in str(_cluster(False, 1))


def test_kubeadm_is_patient_with_nodes_of_ours_which_import_their_images_first() -> None:
    patches = [yaml.safe_load(patch) for patch in _cluster(True, 1)["kubeadmConfigPatches"]]
    waits = {one["kind"]: one["timeouts"]["kubernetesAPICall"] for one in patches if "timeouts" in one}
    assert waits == {"InitConfiguration": "10m0s", "JoinConfiguration": "10m0s"}


@pytest.mark.parametrize("name", ["reprise", "other"])
def test_node_names_do_not_carry_the_products_name(name: str) -> None:
    assert "reprise" not in kind.cluster_name(name)


def test_busy_port_is_not_taken() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        assert taken < kind.free_port(taken) < taken + kind.PORTS_TRIED


def test_when_every_port_is_taken_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "PORTS_TRIED", 1)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        with pytest.raises(errors.Conflict, match=f"from {taken} to {taken}"):
            kind.free_port(taken)


@pytest.mark.parametrize("closed", [True, False])
def test_published_ports_are_not_among_those_a_kernel_gives_away(closed: bool) -> None:
    config = _cluster(closed, 1)
    (gateway,) = config["nodes"][0]["extraPortMappings"]
    published = {config["networking"]["apiServerPort"], gateway["hostPort"]}
    first_given_away = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(published) == 2
    assert max(published) + kind.PORTS_TRIED < first_given_away


MADE = Remembered("reprise", "build", 1, 16443, "n:1", finished=True)


@pytest.mark.parametrize(
    ("workers", "remembered", "condition", "words"),
    [
        (1, None, Condition.FOREIGN, "another --name"),
        (2, MADE, Condition.RUNNING, "made with 1 worker"),
        (2, MADE, Condition.STOPPED, "reprise down"),
    ],
)
def test_a_cluster_that_must_not_be_touched_is_refused(
    workers: int, remembered: Remembered | None, condition: Condition, words: str
) -> None:
    with pytest.raises(errors.Conflict, match=words):
        stand.refuse(stand.Asked("reprise", "build", workers, "n:1"), remembered, condition, "why")


def test_a_half_made_cluster_may_get_other_workers() -> None:
    stand.refuse(stand.Asked("reprise", "build", 2, "n:1"), MADE, Condition.HALF_MADE, "why")


def test_record_is_read_back_and_a_broken_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_STATE", str(tmp_path))
    assert state.load("reprise") is None
    state.save(MADE)
    assert state.load("reprise") == MADE
    assert paths.state_dir("other") == tmp_path / "clusters" / "other"
    assert nodes.others_remember("other")
    assert not nodes.others_remember("reprise")
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(errors.Corrupt, match=r"state\.json"):
        state.load("reprise")


def test_failing_tool_names_its_last_words_and_its_log(tmp_path: Path) -> None:
    script = "import sys; print('out'); print('no space', file=sys.stderr); sys.exit(3)"
    with pytest.raises(errors.ToolFailed, match=r"ended with 3: no space; see .*tool\.log") as caught:
        Tools(tmp_path).run([sys.executable, "-c", script], log="tool")
    assert "out" in (tmp_path / "tool.log").read_text()
    assert "\n" not in str(caught.value)


def test_tool_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match="no-such-program"):
        Tools(tmp_path).run(["no-such-program"], log="tool")


def test_tool_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(errors.ToolFailed, match=r"did not end within 0\.01 s"):
        Tools(tmp_path).run(
            [sys.executable, "-c", "import time; time.sleep(60)"], log="tool", timeout_seconds=0.01
        )


@pytest.mark.parametrize("as_file", [False, True])
def test_tool_reads_text_and_files(tmp_path: Path, as_file: bool) -> None:
    source = tmp_path / "in"
    source.write_text("hello")
    script = "import sys; print(sys.stdin.read().upper())"
    done = Tools(tmp_path).run([sys.executable, "-c", script], log="t", stdin=source if as_file else "hello")
    assert done.stdout == "HELLO\n"


def _deployment(namespace: str, name: str, ready: int, wanted: int) -> dict[str, dict[str, object]]:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"replicas": wanted},
        "status": {"readyReplicas": ready},
    }


def test_status_names_what_is_missing_and_what_is_not_ready() -> None:
    found = report.workloads(
        [
            _deployment("observability", "prometheus", 0, 1),
            _deployment("observability", "jaeger", 1, 1),
            _deployment("somewhere", "else", 0, 1),
        ]
    )
    missing = report.missing(found)
    assert "observability/prometheus: 0 of 1 ready" in missing
    assert "reprise-system/operator is not installed" in missing
    assert not any("jaeger" in one or "else" in one for one in missing)


def test_status_of_nothing_says_what_to_do() -> None:
    text = report.as_text(
        report.Report("reprise", "absent", "no containers", False, "/k", "", "", (), (), ())
    )
    assert text == "cluster reprise: absent (no containers)\n  `reprise up` makes one"
