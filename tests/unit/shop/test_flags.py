"""flagd's file format, and the client that asks flagd."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from shop import flag_rules, flags, web
from shop.services import flagd

TARGETED = {"if": [{"==": [{"var": "product"}, "A"]}, "on", "off"]}


def file_of(**fields: Any) -> str:
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", **fields}
    return json.dumps({"flags": {"key": flag}})


@pytest.mark.parametrize(
    ("fields", "context", "variant", "reason"),
    [
        pytest.param({}, {}, "off", "STATIC", id="default"),
        pytest.param({"defaultVariant": "on"}, {}, "on", "STATIC", id="another default"),
        pytest.param({"targeting": TARGETED}, {"product": "A"}, "on", "TARGETING_MATCH", id="rule fits"),
        pytest.param({"targeting": TARGETED}, {"product": "B"}, "off", "TARGETING_MATCH", id="otherwise"),
        pytest.param({"targeting": {"if": [False, "on"]}}, {}, "off", "DEFAULT", id="rule without otherwise"),
        pytest.param({"targeting": {}}, {}, "off", "STATIC", id="empty rule"),
        pytest.param(
            {"targeting": {"if": [{"in": [{"var": "id"}, ["A", "B"]]}, "on", "off"]}},
            {"id": "B"}, "on", "TARGETING_MATCH", id="in",
        ),
    ],
)  # fmt: skip
def test_evaluate(fields: dict[str, Any], context: dict[str, Any], variant: str, reason: str) -> None:
    outcome = flag_rules.evaluate(flag_rules.parse(file_of(**fields))["key"], context)
    assert (outcome.variant, outcome.reason, outcome.value) == (variant, reason, variant == "on")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        (file_of(defaultVariant="maybe"), r"key: defaultVariant 'maybe' is none of \['off', 'on'\]"),
    ],
)
def test_bad_file(text: str, message: str) -> None:
    with pytest.raises(flag_rules.FlagFileError, match=message):
        flag_rules.parse(text)


def test_flagd_serves_the_file_as_it_is_now_and_survives_a_bad_one(tmp_path: Path) -> None:
    path = tmp_path / "demo.flagd.json"
    path.write_text(file_of())
    routes = flagd.routes(flagd.FlagFile(path).flags)

    def variant() -> Any:
        request = web.Request("POST", "/ofrep/v1/evaluate/flags/key", body=b'{"context":{}}')
        return web.dispatch(routes, request).json()["variant"]

    seen = [variant()]
    for text in (file_of(defaultVariant="on"), "{"):
        before = path.stat().st_mtime_ns
        path.write_text(text)
        os.utime(path, ns=(before + 1_000_000, before + 1_000_000))
        seen.append(variant())
    assert seen == ["off", "on", "on"]


@pytest.mark.parametrize(("path", "status"), [("key", 200), ("other", 404)])
def test_flagd_status(path: str, status: int) -> None:
    table = flagd.routes(lambda: flag_rules.parse(file_of()))
    assert web.dispatch(table, web.Request("POST", f"/ofrep/v1/evaluate/flags/{path}")).status == status


def test_flagd_answers_for_all_enabled_flags() -> None:
    table = flagd.routes(lambda: flag_rules.parse(file_of(state="DISABLED")))
    assert web.dispatch(table, web.Request("POST", "/ofrep/v1/evaluate/flags")).json() == {"flags": []}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_client_asks_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def exchange(method: str, url: str, *_: Any) -> web.Response:
        asked.append(url)
        return web.json_response({"variant": "on", "value": True})

    monkeypatch.setattr(web, "exchange", exchange)
    clock = Clock()
    client = flags.Flags("flagd", "8013", clock)
    for step in (0, 0.5, 0.4, 0.2):
        clock.now += step
        assert client.enabled("key")
    assert asked == ["http://flagd:8013/ofrep/v1/evaluate/flags/key"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(web.WebFailure(503, "refused"), id="nobody there"),
        pytest.param(web.json_response({"errorCode": "FLAG_NOT_FOUND"}, 404), id="no such flag"),
        pytest.param(web.Response(200, b"<html>"), id="not JSON"),
        pytest.param(web.json_response({"variant": "on", "value": "text"}), id="value of another type"),
    ],
)
def test_client_falls_back_to_the_default(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange(*_: Any) -> web.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    monkeypatch.setattr(web, "exchange", exchange)
    client = flags.Flags("flagd", "8013")
    assert (client.enabled("key"), client.number("key")) == (False, 0)
