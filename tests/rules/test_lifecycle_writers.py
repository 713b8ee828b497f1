"""The writers of each column, found in the source of every package, so that no second writer is added unnoticed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from models.sql import locking

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("models", "scheduler", "executor", "api", "ops", "sdk")
_NOT_OURS = {".venv", "build", "node_modules", "__pycache__"}

# From UPDATE run to the end of its SET list; f-string placeholders appear as written.
_UPDATE_RUN = re.compile(
    r"UPDATE\s+(?:ONLY\s+)?\"?run\"?(?:\s+(?:AS\s+)?\w+)?\s+SET\b(?P<sets>.*?)(?=\bWHERE\b|\bRETURNING\b|\"\"\"|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_SETS_STATUS = re.compile(
    r"(?<![\w.])\"?status\"?\s*=(?!=)|\(\s*(?:\w+\s*,\s*)*status\s*(?:,\s*\w+\s*)*\)\s*=", re.IGNORECASE
)
_INSERTS_STATUS = re.compile(r"INSERT\s+INTO\s+\"?run\"?\s*(?:AS\s+\w+\s*)?\([^)]*\bstatus\b", re.IGNORECASE)
_SETS_BY_OBJECT = re.compile(r"\brun\.(?:status|pause_kind)\s*=(?!=)|\b(?:update|insert)\(\s*(?:models\.)?Run\b")


def _sources() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in {".py", ".sql"} and not _NOT_OURS & set(path.parts):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _writes_status(text: str) -> bool:
    updates = any(_SETS_STATUS.search(update["sets"]) for update in _UPDATE_RUN.finditer(text))
    return bool(updates or _INSERTS_STATUS.search(text) or _SETS_BY_OBJECT.search(text))


def test_only_the_moves_write_the_status_of_a_run() -> None:
    writers = [path for path, text in _sources() if _writes_status(text)]

    assert writers == ["models/moves.py", "ops/bench/systems/search.py"], (
        "the benchmark inserts a history of ended runs"
    )


def test_nobody_else_writes_with_the_words_of_the_moves() -> None:
    read_by = [path for path, text in _sources() if re.search(r"\bmove_sql\b", text)]

    assert read_by == ["models/moves.py"]


def test_the_search_would_find_a_second_writer() -> None:
    assert _writes_status("UPDATE run SET seq = seq + 1, status = 'FAILED' WHERE id = 1")
    assert _writes_status('"""\n  update run as r\n  set\n status=%(s)s\n"""')
    assert _writes_status("UPDATE run SET (status, reason) = ('FAILED', 'x')")
    assert _writes_status("INSERT INTO run (id, status) VALUES (1, 'RUNNING')")
    assert _writes_status("run.status = Status.FAILED")
    assert _writes_status("session.execute(update(Run).values(status='FAILED'))")
    assert not _writes_status("UPDATE run SET seq = seq + 1 WHERE status = 'RUNNING'")
    assert not _writes_status("UPDATE wait SET status = 'x'")
    assert not _writes_status("if run.status == 'FAILED': ...")


def test_no_value_of_an_agent_is_kept_as_jsonb() -> None:
    """One NUL escape in `jsonb` makes a whole batch fail; prose may name it, SQL and types may not."""
    code = {
        path: re.sub(r"`[^`]*`", "", text) for path, text in _sources() if path.startswith(("models/", "executor/"))
    }

    assert [path for path, text in code.items() if re.search(r"jsonb", text, re.IGNORECASE)] == []


def test_whoever_skips_locked_runs_locks_them_in_the_order_of_their_ids() -> None:
    """Two schedulers that lock several runs in different orders would wait for one another."""
    skipping = [path for path, text in _sources() if re.search(r"\bFOR\b[^\n]*SKIP\s+LOCKED", text, re.IGNORECASE)]

    assert skipping == ["models/sql/locking.py"]
    for sql in (
        locking.locked_first("SELECT id FROM run"),
        locking.locked_first("SELECT run.id FROM run JOIN worker ON TRUE", 7, key="run.id", of="run"),
    ):
        assert re.search(r"ORDER BY (run\.)?id( LIMIT 7)? FOR UPDATE( OF run)? SKIP LOCKED$", sql)
    one_by_one = (
        r"ORDER BY id\) AS to_lock\s+CROSS JOIN LATERAL \(\s+SELECT id\b[^\n]+ FOR UPDATE SKIP LOCKED\n *\) AS locked$"
    )
    assert re.search(
        one_by_one, locking.locked_in_order("SELECT id FROM batch", "resumed", columns="id, seq", keep=["n"])
    )
    assert " WHERE id = %(run)s FOR SHARE SKIP LOCKED" in locking.locked_one("id", mode="SHARE")


def test_no_statement_of_the_law_locks_several_runs_in_another_order() -> None:
    """A run that is locked by its key alone needs no order; what locks more says it."""
    before = [
        (path, text[: found.start()])
        for path, text in _rendered()
        for found in re.finditer(r" FOR (?:NO KEY )?UPDATE[^\n]* SKIP LOCKED", text)
    ]

    assert len(before) >= 15
    for name, sql in before:
        first = re.search(r"ORDER BY (run\.)?id( LIMIT \d+)?$", sql)
        one_by_one = re.search(r"ORDER BY id\) AS to_lock\s+CROSS JOIN LATERAL \(\s+SELECT id\b[^\n]+$", sql)
        alone = re.search(r"FROM run WHERE id = %\(run\)s$", sql)
        assert first or one_by_one or alone, (name, sql)


def _rendered() -> Iterator[tuple[str, str]]:
    """Yield the statements that modules keep as constants, as they are sent."""
    for path, text in _sources():
        if "models.sql.locking" in text and path.startswith(("models/", "scheduler/")):
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            yield from ((f"{path}:{name}", sql) for name, sql in vars(module).items() if isinstance(sql, str))
