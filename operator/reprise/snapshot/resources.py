"""Which resources of the API an agent may read: as the server serves them, under every version it serves."""

import asyncio
from dataclasses import dataclass
from typing import Any

from reprise.adapters import kube
from reprise.domain import access, discovery, errors
from reprise.snapshot.manifest import Missing
from reprise.snapshot.patience import Patience

Json = dict[str, Any]
LEASES = ("coordination.k8s.io", "leases")
# Without these there is no incident to look at: when they cannot be read, nothing is recorded.
ESSENTIAL = frozenset({("", "pods"), ("", "events"), ("", "namespaces"), ("apps", "deployments")})


@dataclass(frozen=True)
class Resource:
    """One resource of one version. `preferred`: of the version in which the server would rather serve it.

    `verbs` are those that an agent has, in the server's order.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]
    preferred: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> str:
        """`<group or core>~<version>~<plural>`: the file's name without its ending."""
        return f"{self.group or 'core'}~{self.version}~{self.plural}"

    @property
    def path(self) -> str:
        """The URL path of the list of all that may be read."""
        namespace = access.LEASE_NAMESPACE if (self.group, self.plural) == LEASES else ""
        return access.ApiPath(self.group, self.version, namespace, self.plural, "", "").url()

    @property
    def essential(self) -> bool:
        return (self.group, self.plural) in ESSENTIAL

    @property
    def watched(self) -> bool:
        """Whether it has a history: leases change every ten seconds, metrics have no watch."""
        return "watch" in self.verbs and (self.group, self.plural) != LEASES


@dataclass(frozen=True)
class Served:
    """`missing` names the groups that did not answer: an aggregated API may be down by itself."""

    resources: tuple[Resource, ...]
    missing: tuple[Missing, ...]


async def readable(api: kube.Kube, injector_hidden: bool, patience: Patience) -> Served:
    """Everything that is served and may be listed, in the order of the groups in the server's answer.

    Raises Unreachable when the server itself does not answer.
    """
    listed = await patience.attempt(lambda: api.request("GET", "/apis"))
    groups = discovery.groups(listed, injector_hidden)["groups"]
    versions = [("", "v1", True)] + [
        (group["name"], served["version"], served == group["preferredVersion"])
        for group in groups
        for served in group["versions"]
    ]
    found = await asyncio.gather(
        *(
            _of_version(api, group, version, preferred, injector_hidden, patience)
            for group, version, preferred in versions
        ),
        return_exceptions=True,
    )
    resources: list[Resource] = []
    missing: list[Missing] = []
    for (group, version, _), outcome in zip(versions, found, strict=True):
        if isinstance(outcome, BaseException):
            if not group or not isinstance(outcome, errors.RepriseError):
                raise outcome
            missing.append(Missing("objects", f"{group}/{version}", str(outcome)))
        else:
            resources += outcome
    return Served(tuple(resources), tuple(missing))


async def _of_version(
    api: kube.Kube, group: str, version: str, preferred: bool, injector_hidden: bool, patience: Patience
) -> list[Resource]:
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    document = await patience.attempt(lambda: api.request("GET", path))
    return [
        Resource(
            group, version, item["name"], item["kind"], item["namespaced"], tuple(item["verbs"]), preferred
        )
        for item in discovery.resources(document, group, injector_hidden)["resources"]
        if "/" not in item["name"] and "list" in item["verbs"]
    ]
