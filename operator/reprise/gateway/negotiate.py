"""Which form an answer takes: what the Accept header asks for, of what we can filter.

Protobuf and CBOR cannot be filtered here, so they are never given: a client that also takes JSON gets JSON.
"""

from dataclasses import dataclass

NOT_ACCEPTABLE = (
    "expected an Accept header that allows application/json (plain, as=Table or as=PartialObjectMetadata of "
    "meta.k8s.io/v1); other encodings are not served here"
)
_FORMS = {
    "Table": "table",
    "PartialObjectMetadata": "partial",
    "PartialObjectMetadataList": "partial",
    "APIGroupDiscoveryList": "discovery",
}
_VERSIONS = {"meta.k8s.io": "v1", "apidiscovery.k8s.io": "v2"}


@dataclass(frozen=True)
class Media:
    """One alternative of an Accept header."""

    type: str
    parameters: dict[str, str]


def parse(header: str) -> list[Media]:
    found = []
    for part in header.split(","):
        name, *rest = (piece.strip() for piece in part.split(";"))
        pairs = (piece.partition("=") for piece in rest)
        if name:
            found.append(Media(name.lower(), {key.strip(): value.strip() for key, _, value in pairs}))
    return found


def form(header: str, offered: frozenset[str]) -> str | None:
    """`json`, or one of `offered` (`table`, `partial`, `discovery`); None when nothing fits."""
    for media in parse(header or "*/*"):
        if media.type not in ("application/json", "application/*", "*/*"):
            continue
        kind = media.parameters.get("as")
        if kind is None:
            return "json"
        wanted = _FORMS.get(kind)
        group = media.parameters.get("g", "")
        if wanted in offered and media.parameters.get("v") == _VERSIONS.get(group):
            return wanted
    return None
