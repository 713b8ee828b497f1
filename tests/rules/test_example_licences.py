"""Judgements of the licence audit: SPDX expressions, hand-written metadata, and this environment's own distributions."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from taxiway import Decision, Fatal

EXAMPLES = Path(__file__).resolve().parents[2] / "sdk" / "examples"
sys.path.insert(0, str(EXAMPLES))  # as a worker does with the folder of an agents file

import licences  # noqa: E402
import license_audit  # noqa: E402
import spdx  # noqa: E402
from licence_texts import recognise  # noqa: E402
from spdx import Category  # noqa: E402

PERMISSIVE, WEAK, STRONG, UNKNOWN = Category.PERMISSIVE, Category.WEAK, Category.STRONG, Category.UNKNOWN

MIT = """Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software, to deal in it.
The above copyright notice and this permission notice shall be included in all copies."""
MIT_0 = MIT.partition("The above")[0]
ISC = """Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies."""
BSD_2 = "Redistributions of source code must retain the above copyright notice, this list of conditions."
BSD_3 = BSD_2 + "\nNeither the name of the copyright holder nor the names of its contributors may be used."
BSD_4 = BSD_3 + "\nAll advertising materials mentioning features must display the acknowledgement."
POSTGRES = """Permission to use, copy, modify, and distribute this software and its documentation for any purpose,
without fee, and without a written agreement is hereby granted"""
GPL_3 = """                    GNU GENERAL PUBLIC LICENSE
                       Version 3, 29 June 2007
 ... 13. Use with the GNU Affero General Public License, version 3; see also the GNU Lesser General Public License."""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", PERMISSIVE),
        ("mit", PERMISSIVE),
        ("Apache-2.0", PERMISSIVE),
        ("MPL-2.0", WEAK),
        ("LGPL-3.0-only", WEAK),
        ("LGPL-2.1+", WEAK),
        ("GPL-2.0-or-later", STRONG),
        ("AGPL-3.0-only", STRONG),
        ("LicenseRef-Ours", UNKNOWN),
        ("MIT OR GPL-3.0-only", PERMISSIVE),
        ("GPL-3.0-only OR LGPL-3.0-only", WEAK),
        ("MIT AND GPL-3.0-only", STRONG),
        ("MIT AND MPL-2.0", WEAK),
        ("MIT AND LicenseRef-Ours", UNKNOWN),
        ("GPL-3.0-only AND LicenseRef-Ours", STRONG),
        ("LicenseRef-Ours OR GPL-3.0-only", STRONG),
        ("LicenseRef-Ours OR LicenseRef-Theirs", UNKNOWN),
        ("MIT OR GPL-3.0-only AND AGPL-3.0-only", PERMISSIVE),
        ("(MIT OR GPL-3.0-only) AND AGPL-3.0-only", STRONG),
        ("(MIT OR GPL-3.0-only) AND (BSD-3-Clause or MPL-2.0)", PERMISSIVE),
        ("((MIT))", PERMISSIVE),
        ("GPL-2.0-only WITH Classpath-exception-2.0", WEAK),
        ("GPL-3.0-or-later WITH GCC-exception-3.1 AND MIT", WEAK),
        ("GPL-2.0-only WITH Somebodys-exception", STRONG),
        ("Apache-2.0 WITH LLVM-exception", PERMISSIVE),
    ],
)
def test_an_expression_is_as_free_as_its_choices_and_as_strict_as_its_parts(
    expression: str, expected: Category
) -> None:
    assert spdx.category(expression) is expected


@pytest.mark.parametrize(
    "text",
    ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT WITH", "Apache License, 2.0", "MIT / BSD", "()"],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"missing|unexpected|closed|cannot read"):
        spdx.category(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIT, "MIT"),
        (MIT_0, "MIT-0"),
        (f"# MIT License\n\n> {MIT}".replace("\n", "\n> "), "MIT"),
        (ISC, "ISC"),
        (ISC.partition(", provided")[0], "0BSD"),
        (BSD_2, "BSD-2-Clause"),
        (BSD_3, "BSD-3-Clause"),
        (BSD_4, "BSD-4-Clause"),
        (POSTGRES, "PostgreSQL"),
        (POSTGRES.replace(", and without a written agreement", ""), "HPND"),
        (GPL_3, "GPL-3.0"),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991", "GPL-2.0"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\n   Version 3\n" + GPL_3, "AGPL-3.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 2.1, February 1999\n" + GPL_3, "LGPL-2.1"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007\n" + GPL_3, "LGPL-3.0"),
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("Licensed under the Apache License, Version 2.0 (the License)", "Apache-2.0"),
        ("Mozilla Public License Version 2.0\n====", "MPL-2.0"),
        ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", "PSF-2.0"),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        ("2. Altered source versions must be plainly marked as such", "Zlib"),
        ("Boost Software License - Version 1.0 - August 17th, 2003", "BSL-1.0"),
    ],
)
def test_a_licence_text_is_known_by_its_phrases(text: str, expected: str) -> None:
    recognised = recognise(text)
    assert recognised is not None
    assert recognised[0] == expected
    assert spdx.of_licence(recognised[0]) is not UNKNOWN


def test_a_text_without_any_phrase_is_not_guessed() -> None:
    assert recognise("All rights reserved. See the website.") is None


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Path]:
    """Write a distribution's metadata folder."""

    def write(headers: str, files: dict[str, str] | None = None, name: str = "thing-1.0.dist-info") -> Path:
        folder = tmp_path / "site-packages" / name
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: thing\nVersion: 1.0\n{headers}\n\nLicense: no\n"
        )
        for path, text in (files or {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return write


@pytest.mark.parametrize(
    ("headers", "files", "expected"),
    [
        # the first source with a licence decides
        (
            "License-Expression: MIT\nClassifier: License :: OSI Approved :: GNU GPL\nLicense: GPL",
            {},
            ("MIT", PERMISSIVE),
        ),
        ("License-Expression: MIT AND LicenseRef-X\nLicense: MIT", {}, ("MIT AND LicenseRef-X", UNKNOWN)),
        ("License-Expression: see LICENSE\nLicense: MIT", {}, ("MIT", PERMISSIVE)),
        ("Classifier: License :: OSI Approved :: BSD License\nLicense: GPL", {}, ("BSD", PERMISSIVE)),
        ("Classifier: License :: Other/Proprietary License\nLicense: MIT", {}, ("proprietary", UNKNOWN)),
        ("Classifier: License :: OSI Approved\nLicense: MIT", {}, ("MIT", PERMISSIVE)),
        # classifiers
        (
            "Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 or later (LGPLv3+)",
            {},
            ("LGPL", WEAK),
        ),
        (
            "Classifier: License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)",
            {},
            ("LGPL", WEAK),
        ),
        ("Classifier: License :: OSI Approved :: GNU General Public License v2 (GPLv2)", {}, ("GPL", STRONG)),
        ("Classifier: License :: OSI Approved :: GNU Affero General Public License v3", {}, ("AGPL", STRONG)),
        ("Classifier: License :: OSI Approved :: Python Software Foundation License", {}, ("PSF-2.0", PERMISSIVE)),
        (
            "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved :: GNU GPL",
            {},
            ("GPL, MIT", STRONG),
        ),
        # the old field
        ("License: BSD-3-Clause", {}, ("BSD-3-Clause", PERMISSIVE)),
        ("License: Apache License, Version 2.0", {}, ("Apache-2.0", PERMISSIVE)),
        ("License: New BSD", {}, ("BSD-3-Clause", PERMISSIVE)),
        ("License: GPLv3+", {}, ("GPL", STRONG)),
        ("License: " + MIT.replace("\n", "\n        "), {}, ("MIT", PERMISSIVE)),
        ("License: UNKNOWN", {"LICENSE": MIT}, ("MIT", PERMISSIVE)),
        ("License: Dual License", {"LICENSE": BSD_2}, ("BSD-2-Clause", PERMISSIVE)),
        # files
        ("License-File: COPYING.txt", {"licenses/COPYING.txt": GPL_3}, ("GPL-3.0", STRONG)),
        ("License-File: a\nLicense-File: b", {"licenses/a": MIT, "licenses/b": GPL_3}, ("MIT, GPL-3.0", STRONG)),
        ("", {"licence.md": ISC, "AUTHORS": GPL_3}, ("ISC", PERMISSIVE)),
        ("License-File: ../../../secret", {}, ("", UNKNOWN)),
        ("License-File: /etc/passwd", {}, ("", UNKNOWN)),
        ("", {}, ("", UNKNOWN)),
        ("License: ask us", {}, ("", UNKNOWN)),
    ],
)
def test_metadata_is_judged_by_its_best_source(
    install: Callable[..., Path], headers: str, files: dict[str, str], expected: tuple[str, Category]
) -> None:
    verdict = licences.classify(install(headers, files))
    assert (verdict.licence, verdict.category) == expected
    assert verdict.source
    assert 0 < len(verdict.quote) <= licences.LONGEST_QUOTE


def test_the_evidence_says_which_source_and_quotes_it(install: Callable[..., Path]) -> None:
    verdict = licences.classify(install("", {"licenses/LICENSE.txt": BSD_3}))
    assert (verdict.source, verdict.quote) == ("licence file LICENSE.txt", "redistributions of source code must retain")


def broken(site: Path) -> dict[str, str]:
    """Write every kind of broken metadata; return their names in the report."""
    (site / "no_metadata-2.0.dist-info").mkdir()
    (site / "binary-1.0.dist-info").mkdir()
    (site / "binary-1.0.dist-info" / "METADATA").write_bytes(os.urandom(3000).replace(b"\n", b" "))
    (site / "nul-1.0.dist-info").mkdir()
    (site / "nul-1.0.dist-info" / "METADATA").write_bytes(b"Name: nul\x00l\x1b[2J\nVersion: 1\x00\nLicense: \x00ask\n")
    (site / "empty-1.0.dist-info").mkdir()
    (site / "empty-1.0.dist-info" / "METADATA").write_bytes(b"")
    (site / "directory-1.0.dist-info" / "METADATA").mkdir(parents=True)
    (site / "loop-1.0.dist-info").mkdir()
    (site / "loop-1.0.dist-info" / "METADATA").symlink_to("METADATA")
    (site / "old-0.1.egg-info").write_text("Name: old\nVersion: 0.1\nLicense: MIT\n")
    (site / os.fsdecode(b"bytes\xff-1.0.dist-info")).mkdir()
    return {"no_metadata": "2.0", "binary": "1.0", "empty": "1.0", "directory": "1.0", "loop": "1.0", "old": "0.1"}


def test_broken_metadata_is_unknown_with_the_reason_and_never_an_error(tmp_path: Path) -> None:
    expected = broken(tmp_path)
    rows = [license_audit.audit(found) for found in license_audit.collect(str(tmp_path))]
    assert len(rows) == 8
    text = json.dumps(rows, ensure_ascii=False)
    assert text.encode("utf-8").decode().isprintable()
    by_name = {str(row["name"]): row for row in rows}
    assert {name: by_name[name]["version"] for name in expected} == expected
    assert by_name["old"]["category"] == "permissive"
    assert all(row["category"] == "unknown" for name, row in by_name.items() if name != "old")
    assert by_name["no_metadata"]["evidence"] == {
        "source": "none",
        "quote": "metadata cannot be read: No such file or directory",
    }


@pytest.mark.parametrize("path", ["missing", "file"])
def test_a_path_that_is_no_folder_is_fatal_and_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match=f"{tmp_path / path} is not a folder"):
        license_audit.collect(str(tmp_path / path))


class PlainRun:
    """A run that executes its steps immediately and passes every value through JSON, as a worker does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.said: list[tuple[object, ...]] = []
        self.asked: list[tuple[str, Any]] = []

    def approve(self, prompt: str, *, details: Any, on_deny: str) -> Decision:
        assert on_deny == "return"
        self.asked.append((prompt, json.loads(json.dumps(details))))
        return Decision(False, comment="no GPL here", by="ann")

    def step(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._step(function.__name__, function, args)

    def using(self, *, name: str) -> SimpleNamespace:
        return SimpleNamespace(step=lambda function, *args: self._step(name, function, args))

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        self.said.append((done, total, note))

    def _step(self, name: str, function: Callable[..., Any], args: Any) -> Any:
        assert len(name) <= 200
        assert name.isprintable()
        self.names.append(name)
        return json.loads(json.dumps(function(*args)))


def test_this_environment_is_audited_with_few_unknowns() -> None:
    run = PlainRun()
    result: Any = license_audit.license_audit(run, None)  # type: ignore[arg-type]  # the only part of a run that the agent uses
    rows = result["json"]["distributions"]
    assert result["total"] == len(rows) == len(run.names) - 2 > 60
    assert sum(result["counts"].values()) == result["total"]
    assert result["counts"]["unknown"] < 0.2 * result["total"]
    assert {"pytest", "psycopg", "certifi", "taxiway"} <= {row["name"] for row in rows}
    assert {row["name"]: row["category"] for row in rows}["psycopg"] == "weak copyleft"
    assert all(set(row) == {"name", "version", "licence", "category", "evidence"} for row in rows)
    assert all(row["version"] and row["evidence"]["quote"] for row in rows)
    assert all(f"| {row['name']} | {row['version']} |" in result["markdown"] for row in rows)
    assert len(json.dumps(result)) < 200_000


def test_every_distribution_is_a_step_and_a_piece_of_progress(install: Callable[..., Path]) -> None:
    site = install("License: MIT").parent
    install("License: GPL | more", name="another-2.0.dist-info").joinpath("METADATA").write_text(
        "License: GPL | more\n"
    )
    run = PlainRun()
    result: Any = license_audit.license_audit(run, str(site))  # type: ignore[arg-type]  # as above
    assert run.names == ["collect", "classify another", "classify thing", "report"]
    assert run.said == [(0, 2, "another"), (1, 2, "thing"), (2, 2, "report")]
    assert result["counts"] == {"strong copyleft": 1, "weak copyleft": 0, "unknown": 0, "permissive": 1}
    lines = result["markdown"].splitlines()
    assert lines[2] == "2 distributions: 1 strong copyleft, 1 permissive."
    assert lines[4] == "ann decided that 1 of them must go (no GPL here)."
    assert lines[8] == "| another | 2.0 | GPL | strong copyleft | License field: GPL \\| more |"


def test_somebody_is_asked_about_what_is_doubtful_and_about_nothing_else(install: Callable[..., Path]) -> None:
    site = install("License: GPL").parent
    install("", name="mild-1.0.dist-info").joinpath("METADATA").write_text("Name: mild\nVersion: 1.0\nLicense: MIT\n")
    run = PlainRun()
    license_audit.license_audit(run, str(site))  # type: ignore[arg-type]  # as above
    [(prompt, details)] = run.asked
    assert prompt == "May one distribution with a doubtful licence stay?"
    assert [(row["name"], row["category"]) for row in details] == [("thing", "strong copyleft")]
    undoubted = PlainRun()
    result: Any = license_audit.license_audit(undoubted, str(site), ask_about=[UNKNOWN])  # type: ignore[arg-type]  # as above
    assert (undoubted.asked, result["reviewed"]) == ([], None)


def test_the_distribution_that_python_imports_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, version in (("a", "1.0"), ("b", "2.0")):
        site = tmp_path / folder / "site-packages"
        (site / f"Some_Thing-{version}.dist-info").mkdir(parents=True)
    (tmp_path / "b" / "site-packages" / "some.thing-3.0.dist-info").mkdir()
    monkeypatch.setattr(
        sys, "path", [str(tmp_path), str(tmp_path / "a/site-packages"), str(tmp_path / "b/site-packages")]
    )
    assert [(found["name"], found["version"]) for found in license_audit.collect(None)] == [("Some_Thing", "1.0")]
