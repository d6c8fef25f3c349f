"""Which resources there are to ask for, from the gateway's own discovery."""

from dataclasses import dataclass

from reprise.domain import discovery
from reprise.domain.entities import shorten
from reprise.gateway.tools.call import Call, ToolError


@dataclass(frozen=True)
class Resource:
    """A readable resource, in the version that the server prefers."""

    group: str
    version: str
    plural: str
    kind: str
    singular: str
    short_names: tuple[str, ...]
    is_namespaced: bool

    @property
    def full_name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str, name: str = "") -> str:
        """The URL path of one object or of a list; an empty namespace stands for all."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace and self.is_namespaced else ""
        return f"{base}{inside}/{self.plural}" + (f"/{name}" if name else "")


async def known(call: Call) -> list[Resource]:
    """All readable resources, the core group first. Raises what `Reads.json` raises."""
    found: dict[tuple[str, str], Resource] = {}
    for path in ("/api", "/apis"):
        document = await call.reads.json(path, accept=discovery.AGGREGATED)
        for group in document.get("items") or ():
            name = (group.get("metadata") or {}).get("name", "")
            for version in group.get("versions") or ():
                for wired in version.get("resources") or ():
                    if "list" not in wired.get("verbs", ()):
                        continue
                    resource = Resource(
                        group=name,
                        version=version["version"],
                        plural=wired["resource"],
                        kind=wired["responseKind"]["kind"],
                        singular=wired.get("singularResource", ""),
                        short_names=tuple(wired.get("shortNames") or ()),
                        is_namespaced=wired.get("scope") == "Namespaced",
                    )
                    found.setdefault((name, resource.plural), resource)
    return list(found.values())


async def resolve(call: Call, text: str) -> Resource:
    """The resource that a plural (`pods`, `deployments.apps`), kind or short name means. Raises ToolError
    that lists what there is; what is hidden is answered like what does not exist."""
    resources = await known(call)
    wanted = text.strip().lower()
    for names in (_long, _short):
        for resource in resources:
            if wanted in names(resource):
                return resource
    there = ", ".join(sorted(resource.full_name for resource in resources))
    raise ToolError(404, f"expected a readable resource, found {shorten(text)!r}; there are: {there}")


def _long(resource: Resource) -> tuple[str, ...]:
    return resource.plural, resource.full_name


def _short(resource: Resource) -> tuple[str, ...]:
    return resource.kind.lower(), resource.singular, *resource.short_names


async def of_owner(call: Call, api_version: str, kind: str) -> Resource | None:
    """The resource of an object reference; None when it is not readable."""
    group = api_version.rpartition("/")[0]
    for resource in await known(call):
        if (resource.group, resource.kind) == (group, kind):
            return resource
    return None
