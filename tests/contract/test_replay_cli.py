"""`reprise replay` as a person or a program starts it."""

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.support import snapshot_v2 as snapshots

from reprise.snapshot import archive, private, storage

ROOT = Path(__file__).parents[2]


def started(*words: str | Path, state: Path | None = None) -> subprocess.Popen[str]:
    own = {"REPRISE_STATE": str(state)} if state else {}
    return subprocess.Popen(
        [sys.executable, "-c", "from reprise.cli.main import main; main()", "replay", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "operator"), **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def submit(ready: Any, entity: str) -> int:
    body = json.dumps({"entities": [{"name": entity}]}).encode()
    headers = {"Authorization": f"Bearer {ready['attempts'][0]['token']}", "Content-Type": "application/json"}
    request = urllib.request.Request(ready["url"] + "/submit", body, headers)  # noqa: S310 - https, ours
    tls = ssl.create_default_context(cafile=ready["certificateAuthority"])
    with urllib.request.urlopen(request, context=tls) as answer:  # noqa: S310 - https, ours
        return int(answer.status)


SECRET = {
    "run": {},
    "scenario": {},
    "truth": [{"entity": "otel-demo/Deployment/ad", "equivalents": []}],
    "plan": [],
    "injector": [],
    "mechanisms": [],
}


@pytest.mark.parametrize("score", [None, 1.0], ids=["the answer is elsewhere", "the answer is here"])
def test_a_program_can_follow_it(score: float | None, tmp_path: Path) -> None:
    root = snapshots.build(tmp_path / "snapshot")
    if score is not None:
        private.write(private.folder(root), snapshots.ID, SECRET)
    process = started(
        root, "--port", 0, "--no-metrics", "--attempts", 2, "--out", tmp_path / "out", "-o", "json"
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert [one["name"] for one in ready["attempts"]] == ["attempt-1", "attempt-2"]
    assert Path(ready["attempts"][1]["kubeconfig"]).is_file()
    assert submit(ready, "otel-demo/Deployment/ad") == 200
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    first, second = json.loads(out)["attempts"]
    assert first == {
        "name": "attempt-1",
        "phase": "Submitted",
        "requests": 0,
        "submission": {"entities": ["otel-demo/Deployment/ad"]},
        "score": score,
    }
    assert second["submission"] is None


def test_a_person_is_told_what_to_do(tmp_path: Path) -> None:
    root = snapshots.build(tmp_path / "snapshot")
    process = started(root, "--port", 0, "--no-metrics", "--out", tmp_path / "out")
    assert process.stdout is not None
    told = ""
    while "Ctrl-C" not in told:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        told += line
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert f"export KUBECONFIG={tmp_path / 'out' / 'attempt-1.kubeconfig'}" in told
    assert "as of 2026-01-02T12:30:00+00:00" in told
    assert out.split() == ["attempt-1", "Pending", "0", "requests", "no", "submission"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere"], 1, "expected a snapshot, found nothing at nowhere"),
        (["{damaged}"], 1, "fetch or record it again"),
        (
            ["{file}"],
            1,
            "expected the folder of a snapshot, its archive (NAME.tar.zst) or a URL, found another",
        ),
        (["{cut}"], 1, "it is cut short or changed: fetch it again"),
        (["{archive}", "--max-bytes", "10"], 1, "expected at most 10 bytes in all, found more"),
        (["file://{store}/none"], 1, "expected a snapshot, found nothing"),
        (["file://{store}/none.tar.zst"], 1, "expected an archive, found nothing"),
        (["nonsense://a/b"], 1, "expected a directory or a URL that fsspec knows"),
        (["http://127.0.0.1:1/runs/one"], 1, "expected the store to answer"),
        (["{damaged}", "--wall-clock", "soon"], 2, "expected a duration such as 90s, 30m or 1h30m"),
        (["{damaged}", "--requests", "0"], 2, "--requests"),
    ],
)
def test_what_it_refuses(tmp_path: Path, words: list[str], code: int, message: str) -> None:
    damaged = snapshots.build(tmp_path / "damaged")
    (damaged / "topology.json").write_text("{}")
    file = tmp_path / "file"
    file.write_text("")
    whole = tmp_path / "whole.tar.zst"
    archive.pack(snapshots.build(tmp_path / "whole"), whole)
    cut = tmp_path / "cut.tar.zst"
    cut.write_bytes(whole.read_bytes()[:-400])
    names = {"damaged": damaged, "file": file, "cut": cut, "archive": whole, "store": tmp_path / "store"}
    process = started(*(word.format(**names) for word in words), state=tmp_path / "state")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, message in err) == (code, True), err
    left = [path.name for path in (tmp_path / "state").rglob("*") if not path.name.endswith(".lock")]
    assert left in ([], ["fetched"]), "nothing half-unpacked is left"


@pytest.mark.parametrize("form", ["archive", "url of an archive", "url of a folder"])
def test_a_snapshot_that_lies_elsewhere(tmp_path: Path, form: str) -> None:
    root = snapshots.build(tmp_path / "one")
    address = storage.put(root, (tmp_path / "store").as_uri(), archived="archive" in form)
    if form == "archive":
        address = address.removeprefix("file://")
    digest = hashlib.sha256((root / "manifest.json").read_bytes()).hexdigest()
    fetched = tmp_path / "state" / "fetched" / digest
    seen = []
    for _ in range(2):
        process = started(
            address, "--port", 0, "--no-metrics", "--out", tmp_path / "out", "-o", "json",
            state=tmp_path / "state",
        )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        assert json.loads(line)["now"] == "2026-01-02T12:30:00+00:00"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        seen.append((fetched / "topology.json").stat().st_ino)
    assert seen[0] == seen[1], "the second start serves what is there"
    (fetched / "topology.json").write_text("{}")
    _, err = started(address, "--no-metrics", state=tmp_path / "state").communicate(timeout=60)
    assert f"in {fetched}; remove it to fetch it again" in err
