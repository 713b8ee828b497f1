"""Writer of `docs/facts.md`, from the registry of the log facts."""

from __future__ import annotations

from collections.abc import Iterable

from ops.documents.fact_names import SECTIONS, Fact

HEAD = """# Facts in the log

Every process logs facts: a name and ids, never a payload. Names and fields are part of the interface, so alerts may rely
on them. `TAXIWAY_LOG_FORMAT` chooses console lines or JSON, `TAXIWAY_LOG_LEVEL` the lowest level. Each line also carries
`process`, `timestamp` and `level`; an *exception* is a line of level `error` with a traceback. A field that is listed is
absent where it does not apply.

Generated from `ops/documents/fact_names.py`; written in the code with `fact` of `models/runtime/facts.py`.
"""


def text() -> str:
    """Return the whole document."""
    return HEAD + "".join(_section(title, facts) for title, facts in SECTIONS.items())


def _section(title: str, facts: Iterable[Fact]) -> str:
    head = f"\n## {title}\n\n| fact | level | fields | written when | what to do |\n|---|---|---|---|---|\n"
    return head + "".join(_row(fact) for fact in facts)


def _row(fact: Fact) -> str:
    fields = " ".join(f"`{field}`" for field in fact.fields.split())
    return f"| `{fact.name}` | {', '.join(fact.levels.split())} | {fields} | {fact.when} | {fact.todo or '-'} |\n"
