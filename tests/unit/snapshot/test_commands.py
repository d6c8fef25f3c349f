"""`reprise snapshot pack | unpack | push | pull | list | prune` on a directory."""

import datetime as dt
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.fakes import snapshot_v2

from reprise.cli.snapshot import snapshot as command
from reprise.snapshot import reader, storage


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_there_and_back(tmp_path: Path) -> None:
    folder = snapshot_v2.make(tmp_path / "one")
    assert run("pack", folder).exit_code == 0
    assert run("unpack", tmp_path / "one.tar.zst", tmp_path / "b").stdout == f"{tmp_path / 'b'}\n"
    assert run("push", tmp_path / "b", tmp_path / "store").stdout == f"{tmp_path / 'store' / 'b'}\n"
    assert run("push", folder, tmp_path / "store", "--archive").exit_code == 0
    assert run("list", tmp_path / "store").stdout.splitlines() == [
        "b  folder  2026-11-21T12:03:20.000000Z",
        "one  archive  2026-11-21T12:03:20.000000Z",
    ]
    assert [item["name"] for item in json.loads(run("list", tmp_path / "store", "-o", "json").stdout)] == [
        "b",
        "one",
    ]
    assert run("pull", tmp_path / "store" / "one.tar.zst", tmp_path / "got").exit_code == 0
    assert reader.open_snapshot(tmp_path / "got" / "one").digest == reader.open_snapshot(folder).digest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Four of different ages: `s1` has a private part, `s3` is an archive, `half` is half-written."""
    for days in range(4):
        time = dt.datetime.now(dt.UTC) - dt.timedelta(days=days, hours=1)
        folder = snapshot_v2.make(tmp_path / "made" / f"s{days}", traces=1, logs=1)
        document = json.loads((folder / "manifest.json").read_text())
        document["timeline"]["recordedAt"] = snapshot_v2.rfc(time)
        (folder / "manifest.json").write_text(json.dumps(document))
        storage.put(folder, str(tmp_path / "store"), archived=days == 3)
    for name in ("s1.private/private.json", "half/topology.json"):
        (tmp_path / "store" / name).parent.mkdir()
        (tmp_path / "store" / name).write_text("{}")
    # Of another release, and no archive at all: neither is ours to drop.
    (tmp_path / "store" / "old").mkdir()
    (tmp_path / "store" / "old" / "manifest.json").write_text('{"schemaVersion": 1}')
    (tmp_path / "store" / "odd.tar.zst").write_text("hello")
    return tmp_path / "store"


def left(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir())


UNREADABLE = ["odd.tar.zst", "old"]
ALL = ["half", "s0", "s1", "s1.private", "s2", "s3.tar.zst"]
PRUNE = {
    "the newest": (["--keep-last", "1"], ["half", "s0"]),
    "young ones": (["--keep-days", "2"], ["half", "s0", "s1", "s1.private"]),
    "either": (["--keep-days", "2", "--keep-last", "3"], ["half", "s0", "s1", "s1.private", "s2"]),
    "in use": (["--keep-last", "0", "--in-use", "s2"], ["half", "s2"]),
    "only to see": (["--keep-last", "0", "--half-written", "--dry-run"], ALL),
    "half-written": (["--half-written"], ALL[1:]),
}


@pytest.mark.parametrize(("options", "expected"), PRUNE.values(), ids=PRUNE.keys())
def test_prune(store: Path, options: list[str], expected: list[str]) -> None:
    done = run("prune", store, *options)
    assert done.exit_code == 0, done.output
    assert left(store) == sorted([*expected, *UNREADABLE])
    assert done.stdout.splitlines()[-1].endswith(" of 7")


def test_prune_without_a_policy_is_refused(store: Path) -> None:
    assert run("prune", store).exit_code == 2
    assert left(store) == sorted([*ALL, *UNREADABLE])


def test_list_says_what_cannot_be_read(store: Path) -> None:
    lines = {line.split()[0]: line for line in run("list", store).stdout.splitlines()}
    assert lines["half"].endswith("half-written")
    assert "schemaVersion 2, found 1" in lines["old"]
    assert "expected a whole .tar.zst archive" in lines["odd"]
