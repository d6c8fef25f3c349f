"""What faults in a server share: is the target such a server, and how do settings reach it."""

from collections.abc import Sequence
from typing import Any

from reprise.domain import errors, paths
from reprise.domain.mutation import SetField
from reprise.faults import template
from reprise.faults.mechanism import Json

_SHELLS = ("sh", "bash", "ash", "dash")


def serves(deployment: Json, port: int, what: str) -> Json:
    """The container that serves the port. Raises InvalidInput when none does: it is another server then."""
    template.serving(deployment)
    found: dict[int, Json] = {
        entry["containerPort"]: container
        for container in paths.get(deployment, template.CONTAINERS)
        for entry in container.get("ports") or ()
    }
    if port not in found:
        ports = ", ".join(str(number) for number in sorted(found)) or "none"
        raise errors.InvalidInput(
            f"target: expected {what}, a Deployment with a container that serves port {port}; "
            f"found Deployment/{deployment['metadata']['name']}, which serves: {ports}"
        )
    return found[port]


def with_arguments(container: Json, more: Sequence[str]) -> SetField:
    """The container's arguments with more after them: a server heeds the last of two.

    Raises Unsupported where a shell's script starts the server and would not pass them on.
    """
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    if words and words[0].rpartition("/")[2] in _SHELLS and "-c" in words:
        raise errors.Unsupported(
            f"expected container {container['name']} to run its server with arguments, found a shell's script"
        )
    path = (*template.container_path(container["name"]), "args")
    return SetField(path, [*(container.get("args") or ()), *more])


def with_variable(deployment: Json, container: Json, name: str, value: str) -> SetField:
    """The container's environment with this variable. Raises InvalidInput when it has that value or none to
    replace."""
    path: paths.Path = (*template.container_path(container["name"]), "env", paths.Item("name", name))
    present = paths.get(deployment, path)
    if present is paths.ABSENT:
        return template.setting(deployment, path, {"name": name, "value": value})
    literal: Any = present.get("value")
    if literal is None or literal == value:
        raise errors.InvalidInput(
            f"params.value: expected another value than the present one of {name}, found {value!r}"
            if literal is not None
            else f"params.setting: expected {name} to have a literal value, found a reference"
        )
    return SetField((*path, "value"), value)
