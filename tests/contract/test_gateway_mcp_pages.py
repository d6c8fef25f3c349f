"""The tools over MCP: long answers come in pages, up to a bound."""

from typing import Any

import pytest
from tests.contract.gateway_fakes import Door
from tests.contract.gateway_mcp import gate, problem, text, town
from tests.contract.gateway_town import NOON, Town

__all__ = ["gate", "town"]

pytestmark = pytest.mark.usefixtures("quick")


async def pages(gate: Door, tool: str, **arguments: Any) -> list[str]:
    found = [await text(gate, tool, **arguments)]
    while found[-1].endswith("narrower filter]"):
        cursor = found[-1].rpartition('cursor="')[2].partition('"')[0]
        found.append(await text(gate, tool, cursor=cursor, **arguments))
    return found


def joined(found: list[str]) -> str:
    return "".join(page.rpartition("[truncated:")[0] or page for page in found)


async def test_a_long_answer_comes_in_pages_that_make_it_up(gate: Door, town: Town) -> None:
    pods = town.objects["Pod"]
    pods += [{**pods[0], "metadata": {**pods[0]["metadata"], "name": f"web-{n}"}} for n in range(3000)]
    whole = await text(gate, "list_resources", resource="pods", max_bytes=256 * 1024)
    found = await pages(gate, "list_resources", resource="pods")
    assert len(found) == 2
    assert all(len(page.encode()) <= 33 * 1024 for page in found)
    assert joined(found) == whole
    assert "web-2999" in found[-1]


async def test_one_line_beyond_a_page_is_cut_between_characters(gate: Door, town: Town) -> None:
    town.log = [(f"{NOON}10:00.000000001Z", "ä" * 3000)]
    found = await pages(gate, "logs", pod="cart-1", max_bytes=1024)
    assert len(found) > 5
    assert joined(found).replace("\n", "").count("ä") == 3000


async def test_later_pages_of_a_log_are_those_of_the_same_lines(gate: Door, town: Town) -> None:
    town.log = [(f"{NOON}10:{n:02}.000000001Z", f"line {n:02} " + "x" * 100) for n in range(60)]
    first = await text(gate, "logs", pod="cart-1", tail=30, max_bytes=1024)
    town.log += [(f"{NOON}11:{n:02}.000000001Z", f"late {n}") for n in range(40)]
    cursor = first.rpartition('cursor="')[2].partition('"')[0]
    second = await text(gate, "logs", pod="cart-1", tail=30, max_bytes=256 * 1024, cursor=cursor)
    told = first.rpartition("[truncated:")[0] + second
    assert [line.split()[2] for line in told.splitlines() if " line " in line] == [
        f"{n:02}" for n in range(30, 60)
    ]
    assert "late" not in told
    assert "has changed" not in told


async def test_what_changed_between_two_pages_is_said(gate: Door, town: Town) -> None:
    town.objects["ConfigMap"][0]["data"] = {f"k{n:04}": "v" * 20 for n in range(200)}
    asked = {"resource": "cm", "name": "settings", "max_bytes": 1024}
    first = await text(gate, "get_resource", **asked)
    cursor = first.rpartition('cursor="')[2].partition('"')[0]
    town.objects["ConfigMap"][0]["data"]["k0000"] = "other"
    assert (await text(gate, "get_resource", cursor=cursor, **asked)).startswith("[this has changed")
    town.objects["ConfigMap"][0]["data"] = {}
    assert "has become shorter" in await text(gate, "get_resource", cursor=cursor, **asked)
    found = await problem(gate, "get_resource", cursor=cursor, resource="pods", name="cart-1")
    assert "call again without it" in found


async def test_a_log_beyond_what_is_read_says_how_to_ask_for_less(gate: Door, town: Town) -> None:
    town.log = [(f"{NOON}10:00.000000001Z", "x" * 500_000)] * 10
    assert "smaller `tail`" in await problem(gate, "logs", pod="cart-1", grep=["x"])
    assert "1 lines" in await text(gate, "logs", pod="cart-1", tail=1)
