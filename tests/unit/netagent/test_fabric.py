"""Routes, masquerading and the CNI configuration, as values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from netagent import fabric, host, model, wire

A = model.Node("a", ("192.0.2.1",), ("10.244.0.0/24",))
B = model.Node("b", ("192.0.2.2", "2001:db8::2"), ("10.244.1.0/24", "fd00:1::/64"))


def test_conflist_gives_each_range_its_own_set_and_masquerades_nothing() -> None:
    written = json.loads(fabric.conflist(B, 1400))

    ptp, portmap, gate = written["plugins"]
    assert ptp["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:1::/64"}]]
    assert ptp["ipam"]["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    assert (ptp["mtu"], ptp["ipMasq"]) == (1400, False)
    assert (portmap["type"], gate["type"]) == ("portmap", "podgate")
    assert json.loads(fabric.conflist(A, 1500))["plugins"][0]["ipam"]["routes"] == [{"dst": "0.0.0.0/0"}]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param("a", {"10.244.1.0/24": "192.0.2.2", "fd00:1::/64": "2001:db8::2"}, id="by family"),
        pytest.param("b", {"10.244.0.0/24": "192.0.2.1"}, id="never to itself"),
    ],
)
def test_routes(own: str, expected: dict[str, str]) -> None:
    assert fabric.routes([A, B, model.Node("joining", (), ("10.244.2.0/24",))], own) == expected


def test_masquerading_spares_pods_nodes_and_multicast() -> None:
    text = fabric.masquerading([A, B], "a")

    assert "ip saddr { 10.244.0.0/24 } ip daddr != { 10.244.0.0/23, 192.0.2.1, 192.0.2.2, 224.0.0.0/4 }" in (
        text.replace("/32", "")
    )
    assert "ip6" not in text


@pytest.mark.parametrize(
    ("spec", "cidrs"),
    [
        pytest.param(
            {"podCIDRs": ["10.0.0.0/24", "fd00::/64"], "podCIDR": "10.0.0.0/24"}, 2, id="both fields"
        ),
        pytest.param({"podCIDR": "10.0.0.0/24"}, 1, id="old field"),
        pytest.param({}, 0, id="not given yet"),
    ],
)
def test_nodes_are_read(spec: dict[str, object], cidrs: int) -> None:
    addresses = [
        {"type": "Hostname", "address": "n"},
        {"type": "InternalIP", "address": "192.0.2.9"},
        {"type": "ExternalIP", "address": "198.51.100.9"},
    ]

    node = wire.node({"metadata": {"name": "n"}, "spec": spec, "status": {"addresses": addresses}})

    assert node.addresses == ("192.0.2.9",)
    assert len(node.pod_cidrs) == cidrs


def test_files_are_replaced_whole_and_leave_nothing_that_a_runtime_would_load(tmp_path: Path) -> None:
    target = tmp_path / "net.d" / "10-pods.conflist"

    host.write_file(target, "one")
    host.write_file(target, "two")

    assert target.read_text() == "two"
    assert [p.name for p in target.parent.iterdir()] == [target.name]
