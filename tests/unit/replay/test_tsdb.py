"""What a Prometheus says while it starts, in whatever order."""

import asyncio

import pytest

from reprise.domain import errors
from reprise.replay import tsdb

LISTENING = 'level=INFO msg="Listening on" component=web address=127.0.0.1:4242'
READY = 'level=INFO msg="Server is ready to receive web requests."'


async def started(*lines: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", 'for line in "$@"; do echo "$line" >&2; done', "sh", *lines,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        return await tsdb._started(process)
    finally:
        await process.communicate()


@pytest.mark.parametrize("lines", [(LISTENING, READY), (READY, LISTENING), ("x", READY, "y", LISTENING)])
async def test_ready_is_who_is_ready_and_has_an_address(lines: tuple[str, ...]) -> None:
    assert await started(*lines) == "http://127.0.0.1:4242"


@pytest.mark.parametrize("lines", [(), (READY,), (LISTENING,)])
async def test_who_ends_before_was_never_ready(lines: tuple[str, ...]) -> None:
    with pytest.raises(errors.ToolFailed, match="ended with 0"):
        await started(*lines)
