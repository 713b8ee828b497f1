"""Names that agents, queues and signals may have; `taxiway.identity` has the same rule for code that declares them.

Everything printable is reachable by the API: a name is one segment of a path, percent-encoded, a slash as %2F. Only `.` and
`..` are not, because clients and proxies resolve them before they send.
"""

MAX_NAME = 200
RULE = f"has 1 to {MAX_NAME} printable characters, and is not . or .."


def is_name(text: str) -> bool:
    """Return whether the text can be a name."""
    return bool(text.strip()) and len(text) <= MAX_NAME and text.isprintable() and text not in (".", "..")
