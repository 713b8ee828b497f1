"""The words of the list are found where people read them, and nowhere else."""

from __future__ import annotations

import pytest

from ops.wording import REPLACEMENTS, in_file


def _words(path: str, text: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.word) for finding in in_file(path, text)]


@pytest.mark.parametrize(
    "word", ["whoever", "somebody", "everyone", "goes on", "stands still", "is told", "came of", "anew"]
)
def test_a_word_of_the_list_is_found_in_comments_docstrings_messages_and_pages(word: str) -> None:
    assert _words("models/x.py", f'"""Noun.\n\nAnd {word} here.\n"""\n') == [(3, word)]
    assert _words("models/x.py", f"X = 1  # {word}\n") == [(1, word)]
    assert _words("models/x.py", f'X = 1\nraise ValueError("for {word}")\n') == [(2, word)]
    assert _words("docs/x.md", f"# Page\n\nThat {word}.\n") == [(3, word)]


def test_code_and_quotations_are_not_judged() -> None:
    assert _words("docs/x.md", "```python\nknock()\n```\n\nCall `anew` or say “at once”.\n") == []
    assert _words("models/x.py", "knock = meanwhile = 1\n") == []


def test_strings_of_tests_may_say_anything_but_their_comments_and_docstrings_may_not() -> None:
    assert _words("tests/x.py", 'X = "somebody"\n') == []
    assert _words("tests/x.py", 'X = 1  # somebody\n"""Noun."""\n') == [(1, "somebody")]


def test_a_function_says_what_it_does_by_a_plain_verb() -> None:
    assert _words("models/x.py", 'def f():\n    """Give a run."""\n') == [(2, "Give")]
    assert _words("models/x.py", 'def f():\n    """Return a run."""\n') == []


def test_a_module_begins_with_its_noun() -> None:
    assert _words("models/x.py", '"""How runs end."""\n') == [(1, "How")]
    assert _words("tests/x.py", '"""What is refused changes nothing."""\n') == []


def test_no_more_than_is_no_word_of_the_list() -> None:
    assert _words("docs/x.md", "It has no more than 5.\n") == []
    assert _words("docs/x.md", "It is there no more.\n") == [(1, "no more")]


def test_each_word_has_a_replacement() -> None:
    assert all(REPLACEMENTS.values())
