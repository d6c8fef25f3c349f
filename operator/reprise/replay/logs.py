"""Logs of containers, from files of lines that begin with their time, as the kubelet gives them.

The order of things is the kubelet's: the last `tailLines` first, then what of them is not older than
`sinceTime`. Texts of Kubernetes: pkg/registry/core/pod/strategy.go (which container) and
pkg/kubelet/kubelet_pods.go (whether it has a log).
"""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from reprise.domain import redaction
from reprise.replay.answers import Failure, Stream, once
from reprise.replay.clock import Clock

Json = Mapping[str, Any]
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class _Asked:
    since: dt.datetime | None
    tail: int | None
    limit: int | None
    timestamps: bool
    follow: bool


def stream(root: Path, pod: Json, query: Mapping[str, str], clock: Clock) -> Stream:
    """The answer to GET pods/<name>/log. Raises Failure as the API server or the kubelet would refuse."""
    meta = pod["metadata"]
    asked = _Asked(
        since=_since(query, meta["name"], clock),
        tail=_number(query, "tailLines", 0, meta["name"]),
        limit=_number(query, "limitBytes", 1, meta["name"]),
        timestamps=query.get("timestamps") in ("true", "1"),
        follow=query.get("follow") in ("true", "1"),
    )
    container = _container(pod, query.get("container", ""))
    if not (pod.get("spec") or {}).get("nodeName"):
        # No kubelet to ask: the API server has nothing to say.
        return Stream(204, once(b""))
    previous = query.get("previous") in ("true", "1")
    identity = _identity(pod, container, previous)
    name = f"{container}.previous.log" if previous else f"{container}.log"
    path = root / "logs" / meta["namespace"] / meta["name"] / name
    if not path.is_file():
        return Stream(200, once(f"unable to retrieve container logs for {identity}".encode()))
    return Stream(200, _lines(path, asked, clock))


def _number(query: Mapping[str, str], name: str, least: int, pod: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        value = int(text)
    except ValueError as exc:
        raise Failure(400, f'strconv.ParseInt: parsing "{text}": invalid syntax') from exc
    if value < least:
        bound = "must be greater than 0" if least else "must be greater than or equal to 0"
        problem = f"Invalid value: {value}: {bound}"
        cause = {"reason": "FieldValueInvalid", "message": problem, "field": name}
        raise Failure(
            422,
            f'PodLogOptions "{pod}" is invalid: {name}: {problem}',
            "Invalid",
            {"name": pod, "kind": "PodLogOptions", "causes": [cause]},
        )
    return value


def _since(query: Mapping[str, str], pod: str, clock: Clock) -> dt.datetime | None:
    if seconds := _number(query, "sinceSeconds", 1, pod):
        return clock() - dt.timedelta(seconds=seconds)
    return redaction.parse_time(query.get("sinceTime"))


def _container(pod: Json, asked: str) -> str:
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    everything = [
        str(one["name"])
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for one in spec.get(kind) or ()
    ]
    if asked:
        if asked not in everything:
            raise Failure(400, f"container {asked} is not valid for pod {name}")
        return asked
    containers = spec.get("containers") or []
    if len(containers) == 1:
        return str(containers[0]["name"])
    choice = f", choose one of: [{' '.join(everything)}]" if containers else ""
    raise Failure(400, f"a container name must be specified for pod {name}{choice}")


def _identity(pod: Json, container: str, previous: bool) -> str:
    """The id of the container whose log is asked for. Raises Failure when it has none."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    what = f'container "{container}" in pod "{name}"'
    found = next(
        (
            one
            for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
            for one in status.get(kind) or ()
            if one["name"] == container
        ),
        None,
    )
    if found is None:
        raise Failure(400, f"{what} is not available")
    state = found.get("state") or {}
    last = ((found.get("lastState") or {}).get("terminated") or {}).get("containerID", "")
    if previous:
        if not last:
            raise Failure(400, f"previous terminated {what} not found")
        return str(last)
    if state.get("running"):
        return str(found.get("containerID", ""))
    if (ended := state.get("terminated")) and ended.get("containerID"):
        return str(ended["containerID"])
    if last:
        return str(last)
    if ended or (found.get("lastState") or {}).get("terminated"):
        raise Failure(400, f"{what} is terminated")
    match (state.get("waiting") or {}).get("reason"):
        case None:
            raise Failure(400, f"{what} is waiting to start - no logs yet")
        case "ErrImagePull":
            raise Failure(400, f"{what} is waiting to start: image can't be pulled")
        case "ImagePullBackOff":
            raise Failure(400, f"{what} is waiting to start: trying and failing to pull image")
        case reason:
            raise Failure(400, f"{what} is waiting to start: {reason}")


# -- the file ---------------------------------------------------------------------------------------


async def _lines(path: Path, asked: _Asked, clock: Clock) -> AsyncGenerator[bytes, None]:
    """The bytes of the answer. Reads in pieces, in another thread."""
    left = asked.limit
    with await asyncio.to_thread(path.open, "rb") as file:
        at, end = await asyncio.to_thread(_span, file, asked, clock)
        while at < end:
            piece, at = await asyncio.to_thread(_piece, file, at, end, asked.timestamps)
            if left is not None:
                piece, left = piece[:left], left - len(piece)
            if piece:
                yield piece
            if left is not None and left <= 0:
                return
        while asked.follow and clock.moving:
            file.seek(at)
            line = await asyncio.to_thread(file.readline)
            when = _time(line)
            if not line or (when is not None and not await clock.reach(when)):
                return
            at += len(line)
            line = line if asked.timestamps else _bare(line)
            if left is not None:
                line, left = line[:left], left - len(line)
            yield line
            if left is not None and left <= 0:
                return


def _span(file: IO[bytes], asked: _Asked, clock: Clock) -> tuple[int, int]:
    """Where what is asked for begins and ends."""
    size = file.seek(0, 2)
    end = _first(file, size, lambda time: time > clock()) if clock.moving else size
    begin = 0 if asked.tail is None else _tail(file, end, asked.tail)
    since = asked.since
    if since is not None:
        begin = max(begin, _first(file, end, lambda time: time >= since))
    return begin, end


def _first(file: IO[bytes], end: int, holds: Any) -> int:
    """The offset of the first line before `end` whose time `holds`, by halving: times only grow."""
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        line_at, time = _line_at(file, middle, low, end)
        if time is None or line_at >= high:
            # No line of its own begins in the upper half: look for it line by line in the lower one.
            return _scan(file, low, high, holds)
        if holds(time):
            high = line_at
        else:
            file.seek(line_at)
            low = line_at + len(file.readline())
    return low


def _scan(file: IO[bytes], low: int, high: int, holds: Any) -> int:
    file.seek(low)
    at = low
    while at < high:
        line = file.readline()
        time = _time(line)
        if time is not None and holds(time):
            return at
        at += len(line)
    return high


def _line_at(file: IO[bytes], offset: int, low: int, end: int) -> tuple[int, dt.datetime | None]:
    """The first line with a time that begins at `offset` or after it."""
    at = offset
    file.seek(offset)
    if offset > low:
        # Unless a line ends just before, this is the middle of one.
        file.seek(offset - 1)
        at = offset - 1 + len(file.readline())
    while at < end:
        line = file.readline()
        time = _time(line)
        if time is not None:
            return at, time
        at += len(line)
    return at, None


def _tail(file: IO[bytes], end: int, count: int) -> int:
    """Where the last `count` lines before `end` begin."""
    if count == 0:
        return end
    at, seen = end, 0
    while at > 0:
        size = min(_CHUNK_BYTES, at)
        file.seek(at - size)
        piece = file.read(size)
        # The end of the last line ends no line before it.
        stop = len(piece) - 1 if at == end else len(piece)
        while (stop := piece.rfind(b"\n", 0, stop)) >= 0:
            seen += 1
            if seen == count:
                return at - size + stop + 1
        at -= size
    return 0


def _piece(file: IO[bytes], at: int, end: int, timestamps: bool) -> tuple[bytes, int]:
    """Whole lines of about _CHUNK_BYTES from `at`, and where the next ones begin."""
    file.seek(at)
    data = file.read(min(_CHUNK_BYTES, end - at))
    if not data.endswith(b"\n") and at + len(data) < end:
        data += file.readline()
    if timestamps:
        return data, at + len(data)
    return b"".join(map(_bare, data.splitlines(keepends=True))), at + len(data)


def _bare(line: bytes) -> bytes:
    return line if _time(line) is None else line.partition(b" ")[2]


def _time(line: bytes) -> dt.datetime | None:
    """The time that a line begins with. The kubelet's has nanoseconds."""
    text = line.partition(b" ")[0]
    return redaction.parse_time(text.decode(errors="replace")) if text[4:5] == b"-" else None
