"""Names as one path segment, whatever characters they have: `/v1/agents/billing%2Frefund` is the agent `billing/refund`.

Servers decode a path before they split it, so %2F would end the segment. Here the path is split first. Until the name is
read, a character that no name contains replaces each slash inside a segment.
"""

from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import Scope

SLASH = "\ufffe"  # a noncharacter of Unicode, so no name contains it


class _NameConvertor(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace(SLASH, "/")

    def to_string(self, value: str) -> str:
        return value


class _RunConvertor(Convertor[str]):
    """Matches the id of a run, but not the words of other calls in its place: those answer 405, not 404."""

    regex = "(?!(?:approval|batch|bulk)$)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _NameConvertor())
register_url_convertor("run", _RunConvertor())
NAMED = "{name:name}"
"""The last segment of a route that ends with a name."""


def split_before_decoding(scope: Scope) -> Scope:
    """Return the scope with its path split before it is decoded, so that an encoded slash ends no segment."""
    raw = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return scope
    parts = raw.decode("ascii", "replace").split("/")
    return {**scope, "path": "/".join(unquote(part).replace("/", SLASH) for part in parts)}


RUN = "{runId:run}"
"""The last segment of a route that ends with the id of a run."""
