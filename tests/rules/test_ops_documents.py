"""Generated documents cover their subjects, and exactly the needed packages are pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from models.lifecycle import MOVES, Reason
from models.runtime.settings import Settings
from ops import generated
from ops.documents import lifecycle, reasons, settings

ROOT = Path(__file__).resolve().parents[2]


def test_every_reason_of_the_law_has_a_sentence_and_no_other() -> None:
    assert set(reasons.MEANINGS) == set(Reason)
    assert all(meaning.endswith(".") for meaning in reasons.MEANINGS.values())


def test_every_setting_is_listed_with_what_it_decides() -> None:
    rows = [line for line in settings.text().splitlines() if line.startswith("| `TAXIWAY_")]
    assert [re.findall(r"`(\w+)`", row)[0] for row in rows] == [
        f"TAXIWAY_{name.upper()}" for name in Settings.model_fields
    ]
    assert not any("None" in row for row in rows)
    assert "| number, 3 to 300 | `15` |" in settings.text()


def test_every_move_is_in_the_table_and_in_the_picture() -> None:
    text = lifecycle.text()
    picture, _, tables = text.partition("## Moves")
    for verb, move in MOVES.items():
        assert f"| `{verb}` |" in tables
        if move.sources != {move.target}:
            assert str(verb) in picture


def test_a_stale_document_is_noticed_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    assert set(generated.stale()) == set(generated.GENERATED)
    generated.write()
    assert generated.stale() == []
    (tmp_path / "docs" / "reasons.md").write_text("something else")
    assert generated.stale() == ["docs/reasons.md"]
    assert generated.main(["--check"]) == 1


def test_everything_that_the_projects_name_is_pinned_to_one_version() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", pin) for pin in pins)
    pinned = {pin.partition("==")[0] for pin in pins}
    named: set[str] = set()
    for file in (ROOT / "pyproject.toml", ROOT / "sdk" / "pyproject.toml"):
        project = tomllib.loads(file.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        for requirement in (*project["dependencies"], *(line for extra in extras for line in extra)):
            named.add(re.split(r"[^\w-]", requirement)[0].lower())
    assert named - {"taxiway"} <= pinned
