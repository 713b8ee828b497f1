"""A database row leaves the folder that reads it as a dataclass or as one value, never as a dictionary."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PARAMETERS, JSON, OPTIONS = "parameters of a statement", "a JSON document", "options of a library"
STEPS = "rows of the recorder's batch, which makes no object of each step; they stay in `executor.recorder`"
NO_ROWS = {
    "models.authorization.givers.Giver.params": PARAMETERS,
    "models.authorization.grants.Given.params": PARAMETERS,
    "models.authorization.grants.Holder.params": PARAMETERS,
    "models.fleet.queue_settings.change": JSON,
    "models.fleet.queue_settings.change_agent": JSON,
    "models.fleet.queue_settings.change_queue": JSON,
    "models.moves.NewWait.request": JSON,
    "models.operations.bulk.fits": PARAMETERS,
    "models.operations.schedules.request": JSON,
    "models.runs.announcing.Publisher.publish_event": JSON,
    "models.runs.holding.held": JSON,
    "models.runs.public_event.live": JSON,
    "models.runs.public_event.public": JSON,
    "models.runs.recording.abandoned": STEPS,
    "models.runs.recording.step": STEPS,
    "models.runs.retry_plan.History.error": JSON,
    "models.runs.run_filter.RunFilter.condition": PARAMETERS,
    "models.runs.run_filter.RunFilter.document": JSON,
    "models.runs.run_filter.RunFilter.read": JSON,
    "models.runs.search.Search.count": PARAMETERS,
    "models.runtime.bus.Bus.publish_event": JSON,
    "models.runtime.celery_settings.broker_settings": OPTIONS,
    "models.runtime.redis_address.RedisAddress.sentinel_options": OPTIONS,
    "models.runtime.redis_address.RedisAddress.tls": OPTIONS,
    "models.statement.Statement.params": PARAMETERS,
    "models.waiting.questions.authorization": JSON,
    "models.waiting.questions.digest": JSON,
    "models.waiting.questions.question": JSON,
}
"""What has such an annotation and is no row, each with what it is."""


def _parts(annotation: ast.expr) -> Iterator[ast.AST]:
    """Yield the nodes of an annotation, also of what is written as text."""
    for node in ast.walk(annotation):
        yield node
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            with suppress(SyntaxError):  # a description within `Annotated`
                yield from _parts(ast.parse(node.value, mode="eval").body)


def _is_untyped(annotation: ast.expr) -> bool:
    """Return whether it lets a row through as a dictionary: a statement without a type of its own returns such rows."""
    parts = list(_parts(annotation))
    typed = {id(node.value) for node in parts if isinstance(node, ast.Subscript)}
    for node in parts:
        match node:
            case ast.Name(id="Row"):
                return True
            case ast.Name(id="Statement") if id(node) not in typed:
                return True
            case ast.Subscript(value=ast.Name(id="dict" | "Mapping"), slice=ast.Tuple(elts=[_, ast.Name(id="Any")])):
                return True
    return False


def _signature(function: ast.FunctionDef) -> list[ast.expr]:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [one for one in (*(argument.annotation for argument in given), function.returns) if one is not None]


def _untyped(scope: ast.AST, place: str) -> Iterator[str]:
    """Yield the public functions, methods and fields of a module whose annotations let rows through."""
    for node in ast.iter_child_nodes(scope):
        match node:
            case ast.FunctionDef(name=name) if not name.startswith("_") or name == "__init__":
                if any(map(_is_untyped, _signature(node))):
                    yield f"{place}.{name}"
            case ast.ClassDef(name=name) if not name.startswith("_"):
                yield from _untyped(node, f"{place}.{name}")
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if isinstance(scope, ast.ClassDef):
                if _is_untyped(annotation):
                    yield f"{place}.{name}"


def _found() -> set[str]:
    found: set[str] = set()
    for file in sorted((ROOT / "models").rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if not name.startswith("models.migrations."):
            found |= set(_untyped(ast.parse(file.read_text()), name))
    return found


def test_no_function_of_the_models_takes_or_gives_a_row_as_a_dictionary() -> None:
    assert _found() == set(NO_ROWS)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f() -> Row: ...", True),
        ("def f(rows: Sequence[Row]) -> None: ...", True),
        ("def f(*, row: Mapping[str, Any]) -> None: ...", True),
        ("def f() -> list[dict[str, Any]] | None: ...", True),
        ("def f() -> Statement: ...", True),
        ("def f() -> Statement[Row]: ...", True),
        ('def f() -> "Statement | Opening": ...', True),
        ("def f() -> Statement[Claim]: ...", False),
        ('def f() -> "Statement[Opened] | Opening": ...', False),
        ("def f(weights: Mapping[str, float]) -> dict[str, str]: ...", False),
        ("def _f() -> Row: ...", False),
        ("class C:\n    events: Sequence[Row] = ()", True),
        ("class C:\n    events: Sequence[StoredEvent] = ()", False),
        ("class C:\n    def f(self) -> Row: ...", True),
        ("class C:\n    def __init__(self, row: Row) -> None: ...", True),
        ("class _C:\n    def f(self) -> Row: ...", False),
    ],
)
def test_the_rule_finds_what_it_is_for(source: str, found: bool) -> None:
    assert bool(list(_untyped(ast.parse(source), "m"))) is found
