"""The node itself: nft, ip, sysctl and the CNI directory. Everything here is idempotent and raises
`HostError`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Marks our routes, so that stale ones can be told from everybody else's. Any number that no daemon uses.
ROUTE_PROTOCOL = "119"
TIMEOUT_SECONDS = 20


class HostError(Exception):
    """A program failed or a file could not be written; the message has its own words."""


def load_ruleset(text: str) -> None:
    """Apply nftables text in one transaction: all of it or nothing."""
    _run(["nft", "-f", "-"], text)


def has_table(name: str) -> bool:
    """Tell whether the inet table is there; somebody may have flushed the ruleset."""
    tables = json.loads(_run(["nft", "-j", "list", "tables"]))["nftables"]
    return any(t.get("table", {}).get("name") == name for t in tables)


def sync_routes(wanted: Mapping[str, str]) -> None:
    """Make the routes that carry our protocol number equal to `wanted` (destination → gateway)."""
    for option, is_six in (("-4", False), ("-6", True)):
        present = {
            route["dst"]: route.get("gateway")
            for route in _json(["ip", "-j", option, "route", "show", "proto", ROUTE_PROTOCOL])
        }
        mine = {dst: gateway for dst, gateway in wanted.items() if (":" in dst) is is_six}
        for dst, gateway in mine.items():
            if present.get(dst) != gateway:
                _run(["ip", option, "route", "replace", dst, "via", gateway, "proto", ROUTE_PROTOCOL])
        for dst in present.keys() - mine.keys():
            _run(["ip", option, "route", "del", dst, "proto", ROUTE_PROTOCOL])


def mtu_of(address: str) -> int:
    """Return the MTU in bytes of the interface that holds `address`."""
    for interface in _json(["ip", "-j", "addr", "show", "to", address]):
        if "mtu" in interface:
            return int(interface["mtu"])
    raise HostError(f"expected an interface with the node's address {address}, found none")


def enable_forwarding() -> None:
    """Let the node route for its pods. Already on in most nodes; written only where it is off."""
    switch = Path("/proc/sys/net/ipv4/ip_forward")
    try:
        if switch.read_text().strip() != "1":
            switch.write_text("1")
    except OSError as error:
        raise HostError(f"cannot switch on {switch}: {error}") from error


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace the file in one step; the container runtime watches the directory and must not read half of
    it."""
    # NB: a name that no CNI implementation loads: it begins with a dot and does not end in .conflist.
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        raise HostError(f"cannot write {path}: {error}") from error


def _json(command: list[str]) -> list[dict[str, Any]]:
    # `ip -j` prints nothing at all, or empty objects, where there is nothing to show.
    return [entry for entry in json.loads(_run(command) or "[]") if entry]


def _run(command: list[str], text: str | None = None) -> str:
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise HostError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
