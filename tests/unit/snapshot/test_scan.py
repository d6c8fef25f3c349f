"""What counts as a leak, and what must not."""

from pathlib import Path
from typing import Any

import pytest

from reprise.snapshot import private, scan

UID = "0d5c2f9e-6f6b-4f0e-9f1c-3a4b5c6d7e8f"


def document(**changes: Any) -> dict[str, Any]:
    return {
        "run": {"namespace": "default", "name": "night-run-7", "uid": UID},
        "scenario": {"name": "cart-drain-stuck", "application": "otel-demo"},
        "truth": [],
        "plan": [],
        "injector": [
            {"kind": "PodChaos", "metadata": {"name": "abcde", "uid": "11111111-2222-3333-4444-555555555555"}}
        ],
        "mechanisms": ["feature-flag", "pod-chaos-pod-kill"],
        **changes,
    }


def findings(root: Path, text: str | bytes, made: dict[str, Any] | None = None) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    (root / "file").write_bytes(data)
    return [one.token for one in scan.compare(root, made or document(), "shop").findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", []),
        (f'{{"by":"{UID}"}}', [UID]),
        (f"run {UID.upper()}", [UID]),
        ("cart-drain-stuck", ["cart-drain-stuck"]),
        ("at cart-drain-stuck-x7", ["cart-drain-stuck"]),
        ("mycart-drain-stuckness", []),
        ("mycart-drain-stuck, cart-drain-stuck", ["cart-drain-stuck"]),
        ("night-run-7", ["night-run-7"]),
        ("night-run-77", []),
        ("pod-chaos-pod-kill", ["pod-chaos-pod-kill"]),
        ("the feature-flag of flagd", []),
        ("abcde", []),
        ("11111111-2222-3333-4444-555555555555", ["11111111-2222-3333-4444-555555555555"]),
        ("unreprised", ["reprise"]),
        ("Chaos-Mesh", ["chaos-mesh"]),
        ("chaos", []),
    ],
)
def test_words(text: str, expected: list[str], tmp_path: Path) -> None:
    assert findings(tmp_path, text) == expected


def test_a_visible_injector_is_no_secret(tmp_path: Path) -> None:
    made = document(scenario={"name": "cart-drain-stuck", "injector": "visible"})
    assert findings(tmp_path, "chaos-mesh 11111111-2222-3333-4444-555555555555", made) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"run": {"namespace": "default", "name": "checkout", "uid": UID}},
        {"run": {"namespace": "default", "name": "cart-ingress", "uid": UID}},
        {"run": {"namespace": "default", "name": "shop", "uid": UID}},
        {"scenario": {"name": "cart-ingress"}},
        {"scenario": {"name": "cart-service"}},
    ],
)
def test_what_an_agent_sees_anyway_is_no_token(changes: dict[str, Any], tmp_path: Path) -> None:
    made = document(
        truth=[{"entity": "shop/NetworkPolicy/cart-ingress", "equivalents": []}],
        plan=[{"patch": ["v1", "Service", "shop", "cart-service"], "uid": "u", "changes": []}],
        **changes,
    )
    assert findings(tmp_path, "checkout cart-ingress shop cart-service", made) == []


@pytest.mark.parametrize("before", range((1 << 20) - 40, (1 << 20) + 3))
def test_over_the_edge_of_a_chunk(before: int, tmp_path: Path) -> None:
    assert findings(tmp_path, b" " * before + UID.encode() + b" ") == [UID]
    assert findings(tmp_path, b" " * (before - 1) + b"x" + UID.encode() + b" " * 99) == []
    assert findings(tmp_path, b" " * before + UID.encode() + b"x" * 50) == []


def test_names_of_files_count(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/night-run-7.log").write_text("")
    (finding,) = scan.compare(tmp_path, document(), "shop").findings
    assert str(finding) == "logs/night-run-7.log: 'night-run-7' (name of the run) in its name"


def test_an_altered_part_is_refused(tmp_path: Path) -> None:
    private.write(tmp_path / "x.private", "a" * 16, document())
    assert private.read(tmp_path / "x.private", "a" * 16) == document()
    path = tmp_path / "x.private/private.json"
    path.write_text(path.read_text().replace("night-run-7", "night-run-8"))
    with pytest.raises(private.errors.Corrupt, match="expected sha256"):
        private.read(tmp_path / "x.private", "a" * 16)
