"""A name as one segment of a path, whatever is in it: `/v1/agents/billing%2Frefund` is the agent `billing/refund`.

Servers decode a path before it is split, so %2F would end the segment. Here the path is split first; a slash inside a
segment is a character that no name has, until the name is read.
"""

from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import Scope

SLASH = "\ufffe"  # no character of Unicode, so not printable and in no name


class _NameConvertor(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace(SLASH, "/")

    def to_string(self, value: str) -> str:
        return value


class _RunConvertor(Convertor[str]):
    """Reads the id of a run, which the words that other calls have in its place are not: these answer 405, not 404."""

    regex = "(?!(?:approval|batch|bulk)$)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _NameConvertor())
register_url_convertor("run", _RunConvertor())
NAMED = "{name:name}"
"""The last part of a route that ends with a name."""


def split_before_decoding(scope: Scope) -> Scope:
    """Return the scope with a path whose encoded slashes end no segment."""
    raw = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return scope
    parts = raw.decode("ascii", "replace").split("/")
    return {**scope, "path": "/".join(unquote(part).replace("/", SLASH) for part in parts)}


RUN = "{runId:run}"
"""The last part of a route that ends with the id of a run."""
