"""Which way to a cluster this machine has. Facts are gathered once, the decision is pure."""

from dataclasses import dataclass

from reprise.cluster import tools as toolbox
from reprise.cluster.tools import Tools
from reprise.domain import errors

# What the pinned kind makes its nodes from when it is not told otherwise.
NODE_IMAGE = "kindest/node:v1.37.0"
PROBE_SECONDS = 8.0


@dataclass(frozen=True)
class Facts:
    """What was found.

    `engine` is docker or podman when one answers; `pullable` says that its registry served the node image.
    """

    existing: bool
    engine: str | None
    has_kind: bool
    pullable: bool
    why_not: str = ""


@dataclass(frozen=True)
class Choice:
    """`profile` is existing, pull or build; `reason` a sentence for the person."""

    profile: str
    reason: str


def decide(asked: str, facts: Facts) -> Choice:
    """existing before pull before build, unless one is asked for.

    Pure. Raises Unsupported when that cannot be.
    """
    if facts.existing:
        if asked == "build":
            raise errors.Unsupported(
                "expected either --kubeconfig/--context or --profile build, found both; leave one out"
            )
        return Choice("existing", "a kubeconfig was named")
    match asked:
        case "build":
            return Choice("build", "asked for")
        case "pull" if facts.pullable and facts.engine and facts.has_kind:
            return Choice("pull", "asked for")
        case "pull":
            raise errors.Unsupported(
                f"--profile pull needs Docker or Podman, kind and a registry that serves "
                f"{NODE_IMAGE}: {facts.why_not}; "
                "use --profile build"
            )
        case _ if facts.pullable and facts.engine and facts.has_kind:
            return Choice("pull", f"{facts.engine} can pull {NODE_IMAGE}")
        case _:
            return Choice("build", facts.why_not or "no registry")


def gather(tools: Tools, existing: bool) -> Facts:
    """Ask the engines and the registry; takes some seconds at most."""
    if existing:
        return Facts(True, None, False, False)
    engine = next((name for name in ("docker", "podman") if _answers(tools, name)), None)
    has_kind = toolbox.which("kind") is not None
    if engine is None:
        return Facts(False, None, has_kind, False, "neither Docker nor Podman answers")
    if not has_kind:
        return Facts(False, engine, False, False, "no kind on PATH")
    name = NODE_IMAGE if engine == "docker" else f"docker://docker.io/{NODE_IMAGE}"
    pullable = _succeeds(tools, [engine, "manifest", "inspect", name])
    return Facts(False, engine, True, pullable, "" if pullable else f"{engine} cannot fetch {NODE_IMAGE}")


def _answers(tools: Tools, engine: str) -> bool:
    return toolbox.which(engine) is not None and _succeeds(tools, [engine, "info"])


def _succeeds(tools: Tools, words: list[str]) -> bool:
    try:
        return tools.run(words, log="detect", check=False, timeout_seconds=PROBE_SECONDS).code == 0
    except errors.RepriseError:
        return False
