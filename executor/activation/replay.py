"""Replay of a run: what its earlier activations recorded, cut into `recorded` frames for the host."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from taxiway.frames import Frame

from models.runtime.database import Row
from models.statement import Statement

FRAME_BYTES = 1 << 20
INLINE_BYTES = 32 << 10  # a larger value is recalled when the agent reaches its step

RECORDED = """
    SELECT key, name, digest, occurrence, status, attempts, error, seq, at_ms AS at,
        (extract(epoch FROM finished_at) * 1000)::float8 AS "finishedMs",
        CASE WHEN octet_length(value::text) <= %(inline)s THEN value::text END AS value,
        value IS NOT NULL AND octet_length(value::text) > %(inline)s AS large
    FROM step WHERE run_id = %(run)s ORDER BY seq
    """
VALUE = "SELECT value::text AS value FROM step WHERE run_id = %(run)s AND key = %(key)s AND status = 'succeeded'"


def recorded_steps(run: UUID) -> Statement[Row]:
    """Read the recorded steps of a run as members of `recorded` frames; large values are left out."""
    return Statement(RECORDED, {"run": run, "inline": INLINE_BYTES})


def recorded_value(run: UUID, key: str) -> Statement[str]:
    """Read the value of a step that succeeded, as JSON text. Returns no row if there is no such step."""
    return Statement(VALUE, {"run": run, "key": key}, str)


def recorded_frames(activation: str, rows: list[Row], waits: list[Row], turns: Sequence[Row] = ()) -> Iterator[Frame]:
    """Yield the frames with steps, outcomes of waits, and turns; the last one is marked and starts the agent."""
    for part in parts(waits):
        yield {"frame": "recorded", "activation": activation, "steps": [], "waits": part, "last": False}
    for part in _turns(turns):
        yield {"frame": "recorded", "activation": activation, "steps": [], "turns": part, "last": False}
    chunk: list[Row] = []
    size = 0
    for row in rows:
        row_size = _framed_bytes(row["value"] or "") + _framed_bytes(str(row["error"] or "")) + 300
        if chunk and size + row_size > FRAME_BYTES:
            yield {"frame": "recorded", "activation": activation, "steps": chunk, "last": False}
            chunk, size = [], 0
        chunk.append(row)
        size += row_size
    yield {"frame": "recorded", "activation": activation, "steps": chunk, "last": True}


def _framed_bytes(text: str) -> int:
    """Return the size of a JSON text as a string in a frame: in UTF-8, with each of its quotes escaped once more."""
    return len(text.encode()) + text.count('"') + text.count("\\")


def _turns(turns: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield parts of the turns that fit a frame each."""
    part: list[Row] = []
    size = 0
    for turn in turns:
        turn_size = sum(_framed_bytes(key) + 3 for key in (*turn["seen"], *turn["gone"])) + 150
        if part and size + turn_size > FRAME_BYTES:
            yield part
            part, size = [], 0
        part.append({name: turn[name] for name in ("seq", "n", "epoch", "at", "seen", "gone")})
        size += turn_size
    if part:
        yield part


def parts(waits: list[Row]) -> Iterator[list[Row]]:
    """Yield parts of the waits' outcomes that fit a frame each."""
    part: list[Row] = []
    size = 0
    for wait in waits:
        wait_size = _framed_bytes(wait["answer"] or "") + 300
        if part and size + wait_size > FRAME_BYTES:
            yield part
            part, size = [], 0
        part.append(wait)
        size += wait_size
    if part:
        yield part
