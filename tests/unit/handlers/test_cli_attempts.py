"""`reprise attempts`: lists, trails, truth beside submission, exports."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.attempts.trails import PODS, entry, write
from tests.unit.handlers.world import World, live, operator

from reprise.cli import attempt_data, attempt_text, attempts
from reprise.cli.main import cli
from reprise.domain import errors

POLICIES = "/apis/networking.k8s.io/v1/namespaces/otel-demo/networkpolicies"


async def finished() -> World:
    world = World()
    world.apply_run()
    await live(world, operator(world))
    return world


def the_attempt(world: World) -> dict[str, Any]:
    (found,) = world.of_kind("AgentAttempt")
    return dict(found)


@pytest.mark.parametrize(
    ("source", "name"),
    [("", ""), ("recorded-before", "recorded-before"), ("one.tar.zst", "fetched-1a2b")],
    ids=["live", "replay", "replay of an archive"],
)
async def test_why_shows_truth_beside_submission(source: str, name: str, tmp_path: Path) -> None:
    world = await finished()
    run = world.run_object()
    status = dict(run["status"])
    if name:
        status["snapshot"] = {"path": f"/data/snapshots/{name}", "digest": "sha256:1", "files": 1}
    world.store({**run, "spec": {**run["spec"], "snapshot": {"source": source}}, "status": status})
    uid = the_attempt(world)["metadata"]["uid"]
    seen = entry(2, f"{POLICIES}", verb="list", resource="networkpolicies otel-demo", turn="3", attempt=uid)
    write(tmp_path / "audit", entry(1, attempt=uid), seen, uid=uid)
    found = await attempt_data.find(world, "default", "first/1", tmp_path / "audit")
    submission = found.submission
    assert submission is not None
    policy = next(text for text in submission if "NetworkPolicy" in text)
    # The other cause was missed, and something else was named.
    obj = json.loads(json.dumps(found.obj))
    obj["status"]["submission"]["entities"] = [policy, "otel-demo/Deployment/frontend"]
    topology = {
        "nodes": [{"id": "Deployment/frontend"}, {"id": policy.removeprefix("otel-demo/")}],
        "edges": [
            {
                "source": "Deployment/frontend",
                "relation": "depends_on",
                "target": policy.removeprefix("otel-demo/"),
            }
        ],
    }
    # The topology is that of the snapshot, which in a replay another run has recorded.
    folder = tmp_path / "snapshots" / (name or obj["spec"]["run"]["uid"])
    folder.mkdir(parents=True)
    (folder / "topology.json").write_text(json.dumps(topology))
    why = await attempt_data.explain(world, dataclasses.replace(found, obj=obj), tmp_path / "snapshots")
    text = attempt_text.why_text(why)
    assert f"found   {policy}" in text
    assert "turn 3: list networkpolicies otel-demo (in the answer's list)" in text
    assert "missed  otel-demo/Service/cart" in text
    assert "never asked for" in text
    assert "wrong   otel-demo/Deployment/frontend\n          symptom: 1 step from" in text
    document = json.loads(json.dumps(attempt_text.why_json(why)))
    assert [item["entity"] for item in document["missed"]] == ["otel-demo/Service/cart"]
    assert document["missed"][0]["evidence"] is None
    assert document["found"][0]["evidence"]["turn"] == "3"
    assert (document["wrong"][0]["blame"], document["score"]["score"]) == ("symptom", 0.0)


async def test_why_without_a_trail_and_a_topology_makes_nothing_up(tmp_path: Path) -> None:
    world = await finished()
    found = await attempt_data.find(world, "default", "first", tmp_path)
    why = await attempt_data.explain(world, found, tmp_path)
    assert "the audit trail is not here" in attempt_text.why_text(why)
    assert why.wrong == []
    with pytest.raises(errors.NotFound, match="--audit"):
        found.check()


async def test_show_and_list(tmp_path: Path) -> None:
    world = await finished()
    uid = the_attempt(world)["metadata"]["uid"]
    refused = entry(2, status=403, decision="deny", reason="not allowed here", turn="1", attempt=uid)
    write(tmp_path, entry(1, turn="1", justification="look", attempt=uid), refused, uid=uid)
    found = await attempt_data.find(world, "default", "first/1", tmp_path)
    text = attempt_text.show_text(found)
    for part in ("Scored, score 1.00", "Turn 1", "because: look", "refused: not allowed here", "1.5 KiB"):
        assert part in text
    assert "trail  whole: 2 lines" in text
    assert json.loads(json.dumps(attempt_text.show_json(found)))["turns"][0]["calls"][1]["status"] == 403
    rows = [attempt_text.row(item) for item in await attempt_data.of_run(world, "default", "first")]
    assert (rows[0]["attempt"], rows[0]["phase"], rows[0]["score"]) == ("first/1", "Scored", 1.0)
    assert attempt_text.table(rows).splitlines()[0].startswith("ATTEMPT")
    assert attempt_text.table([]) == "no attempts"


async def test_the_trail_is_held_to_the_attempts_status(tmp_path: Path) -> None:
    world = await finished()
    uid = the_attempt(world)["metadata"]["uid"]
    path = write(tmp_path, entry(1, attempt=uid), entry(2, attempt=uid), uid=uid)
    found = await attempt_data.find(world, "default", "first/1", tmp_path)
    head = found.check().head
    obj = json.loads(json.dumps(found.obj))
    obj["status"]["audit"] = {"lines": 2, "head": head}
    held = dataclasses.replace(found, obj=obj)
    assert (held.check().whole, held.check().anchored) == (True, True)
    cut = dataclasses.replace(held, lines=path.read_bytes().splitlines(keepends=True)[:1])
    assert not cut.check().whole
    assert "expected at least 2" in "\n".join(attempt_text.check_lines(cut.check(), cut.anchor))


TARGETS = {
    "no such run": ("second/1", errors.NotFound, "found none"),
    "no such attempt": ("first/9", errors.NotFound, "attempt 9"),
    "not a name": ("First/x", errors.InvalidInput, "RUN/N"),
}


@pytest.mark.parametrize("case", TARGETS)
async def test_a_target_that_is_none(case: str, tmp_path: Path) -> None:
    target, kind, text = TARGETS[case]
    with pytest.raises(kind, match=text):
        await attempt_data.find(await finished(), "default", target, tmp_path)


# -- a file alone, through the command itself -------------------------------------------------------


def test_verify_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, entry(1), entry(2), entry(3))
    run = CliRunner()
    good = run.invoke(attempts.attempts, ["verify", str(path)])
    assert good.exit_code == 0
    assert "whole: 3 lines" in good.output
    assert "lines missing at the end would not show" in good.output
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    bad = run.invoke(attempts.attempts, ["verify", str(path), "-o", "json"])
    assert bad.exit_code == 1
    document = json.loads(bad.output)
    assert (document["whole"], [item["line"] for item in document["problems"]]) == (False, [2])
    # Another name changes nothing: the trail says whose it is.
    other = tmp_path / "copy.jsonl"
    other.write_bytes(b"".join(lines))
    assert run.invoke(attempts.attempts, ["verify", str(other)]).exit_code == 0


@pytest.mark.parametrize("form", ["otel", "atif"])
def test_export_a_file(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, entry(1), entry(2, f"{PODS}/a"))
    out = tmp_path / "out.json"
    done = CliRunner().invoke(attempts.attempts, ["export", str(path), "--format", form, "--out", str(out)])
    assert (done.exit_code, "2 calls" in done.output) == (0, True)
    assert json.loads(out.read_text())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["attempts", "show", str(tmp_path / "none.jsonl")])
    assert isinstance(done.exception, errors.InvalidInput)


def test_show_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'not a trail\n{"seq": 1}\n[]\n\xff\xfe\n')
    done = CliRunner().invoke(cli, ["attempts", "show", str(path)])
    assert done.exit_code == 0
    assert "4 lines could not be read" in done.output


def test_nothing_that_an_agent_wrote_reaches_the_terminal_as_more_than_text(tmp_path: Path) -> None:
    evil = "\x1b]0;mine\x07\r\n"
    path = write(
        tmp_path,
        entry(
            1,
            f"/{evil}",
            turn=evil,
            justification=evil,
            reason=evil,
            decision="deny",
            resource=evil,
            arguments={evil: evil},
        ),
    )
    text = CliRunner().invoke(cli, ["attempts", "show", str(path)]).output
    assert "because:" in text
    assert all(char.isprintable() for line in text.split("\n") for char in line)


@pytest.mark.parametrize("kept", [True, False])
def test_the_record_of_an_agent_is_printed_as_it_is(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(ask: object) -> attempt_data.Found:
        return attempt_data.Found("uid-1", None, tmp_path, None)

    monkeypatch.setattr(attempts, "_with_cluster", found)
    text = '{"event": "assistant"}\nhanded in\n'
    if kept:
        (tmp_path / "uid-1.log").write_text(text)
    done = CliRunner().invoke(cli, ["attempts", "record", "first/1", "--records", str(tmp_path)])
    if kept:
        assert (done.exit_code, done.output) == (0, text), done.exception
    else:
        assert isinstance(done.exception, errors.NotFound) or done.exit_code == 1
        assert "uid-1.log" in f"{done.output}{done.exception}"


@pytest.mark.parametrize("command", ["list", "show", "why", "record", "verify", "export"])
def test_every_command_shows_examples_and_exit_codes(command: str) -> None:
    text = CliRunner().invoke(cli, ["attempts", command, "--help"]).output
    assert "Examples:" in text
    assert "Exit codes:" in text
