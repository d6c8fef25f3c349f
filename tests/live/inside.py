"""What an agent's program tries from inside its pod. Runs there with nothing but the standard library.

It is given, as JSON in the variable PROBE: words to look for, names to resolve, resolvers to ask, addresses
to connect to. Its last line is what came of it, as JSON.
"""

import concurrent.futures
import json
import os
import socket
import ssl
import sys
import urllib.error
import urllib.request

MOST_BYTES = 256 * 1024
# The agents' own package is what runs here; an installed package is no secret, only its name is looked at.
OURS, INSTALLED = "/opt/agent", "/usr"
SKIPPED = ("/proc", "/sys")
OF_A_PROCESS = (
    "cmdline", "cgroup", "environ", "limits", "maps", "mountinfo", "mounts", "status", "net/arp",
    "net/dev", "net/fib_trie", "net/route", "net/tcp", "net/udp", "net/unix",
)  # fmt: skip
OF_THE_KERNEL = (
    "/proc/cmdline", "/proc/version", "/proc/partitions", "/proc/swaps", "/proc/filesystems",
    "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/sys/class/dmi/id/product_name",
)  # fmt: skip
SOCKETS = (
    "/run/containerd/containerd.sock",
    "/var/run/docker.sock",
    "/run/crio/crio.sock",
    "/var/lib/kubelet",
    "/var/run/secrets/kubernetes.io",
    "/var/lib/reprise",
    "/data",
    "/host",
)
WORDS: list[str] = []
# What this program was given, which also stands in files of its process.
OWN = (os.environ["PROBE"], *sys.orig_argv[1:])
FOUND: dict[str, list[str]] = {"words": [], "reached": [], "resolved": [], "there": [], "writable": []}
TRIED: dict[str, int] = {"files": 0, "variables": 0, "connections": 0, "names": 0}


def look(where: str, text: str) -> None:
    for own in OWN:
        text = text.replace(own, "")
    lower = text.lower()
    for word in WORDS:
        at = lower.find(word)
        if at >= 0:
            FOUND["words"].append(f"{word!r} in {where}: {text[max(0, at - 60) : at + 60]!r}")


def read(path: str) -> None:
    TRIED["files"] += 1
    try:
        with open(path, "rb") as data:
            look(path, data.read(MOST_BYTES).decode(errors="replace"))
    except OSError:
        return  # a file that it may not read tells nothing


def files() -> None:
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in (*SKIPPED, OURS)]
        for name in names:
            path = os.path.join(folder, name)
            look("the name of a file", path)
            if path.startswith(INSTALLED):
                TRIED["files"] += 1
            elif os.path.isfile(path):
                read(path)
        if not folder.startswith(INSTALLED) and os.access(folder, os.W_OK):
            FOUND["writable"].append(folder)
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    for path in (*OF_THE_KERNEL, *(f"/proc/{pid}/{name}" for pid in pids for name in OF_A_PROCESS)):
        read(path)
    FOUND["there"] += [path for path in SOCKETS if os.path.exists(path)]


def variables() -> None:
    for key, value in os.environ.items():
        if key != "PROBE":
            TRIED["variables"] += 1
            look("a variable", f"{key}={value}")
    look("the host name", socket.gethostname())


def connect(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return ""
    return f"{host}:{port}"


def resolve(name: str) -> str:
    try:
        return f"{name} is {socket.getaddrinfo(name, None)[0][4][0]}"
    except OSError:
        return ""


def ask(resolver: str, name: str) -> str:
    """A question for the address of a name, straight to a resolver."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(2)
        try:
            link.sendto(query, (resolver, 53))
            return f"{resolver} answered about {name}" if link.recvfrom(512) else ""
        except OSError:
            return ""


def door() -> dict[str, int]:
    """The one way that there is, with the token and without: else finding no other would mean nothing."""
    context = ssl.create_default_context(cafile=os.environ["CA_FILE"])
    with open(os.environ["TOKEN_FILE"]) as data:
        token = data.read()
    out = {}
    for name, headers in (("with", {"Authorization": f"Bearer {token}"}), ("without", {})):
        request = urllib.request.Request(f"{os.environ['GATEWAY_URL']}/api", headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20, context=context) as answer:  # noqa: S310
                out[name] = answer.status
        except urllib.error.HTTPError as exc:
            out[name] = exc.code
    return out


def confinement() -> dict[str, str]:
    with open("/proc/self/status") as data:
        said = dict(line.split(":\t", 1) for line in data.read().splitlines() if ":\t" in line)
    return {name: said[name].split("\t")[0] for name in ("Uid", "CapEff", "NoNewPrivs", "Seccomp")}


def main() -> None:
    asked = json.loads(os.environ["PROBE"])
    WORDS.extend(word.lower() for word in asked["words"])
    reached = door()
    variables()
    files()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        FOUND["reached"] += filter(None, pool.map(lambda pair: connect(*pair), asked["addresses"]))
        FOUND["resolved"] += filter(None, pool.map(resolve, asked["names"]))
        pairs = [(resolver, name) for resolver in asked["resolvers"] for name in asked["names"]]
        FOUND["resolved"] += filter(None, pool.map(lambda pair: ask(*pair), pairs))
    TRIED["connections"] += len(asked["addresses"])
    TRIED["names"] += len(asked["names"]) + len(pairs)
    out = {"door": reached, "confinement": confinement(), "tried": TRIED, "found": FOUND}
    print(json.dumps(out), file=sys.stdout, flush=True)


if __name__ == "__main__":
    main()
