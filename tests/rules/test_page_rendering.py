"""What an agent shows is laid out for reading, all of it, and can neither run nor hide nor pretend."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.page import phrases
from api.page.outcome_page import outcome_page
from api.page.question_page import Typed, heading, question_page
from api.page.value_layout import DEEPEST, MOST_PARTS, Json, Listing, Node, Record, Table, Text, Word, laid_out
from api.people.question import Question
from models.ids import new_id
from models.runtime.legible import legible
from models.tables.run import Run
from models.tables.wait import Wait

NOW = datetime.now(UTC)


def asked(request: dict[str, Any], *, status: str = "PAUSED", pause: str | None = "approval", late: bool = False,
          lease: Any = None, **wait: Any) -> Question:  # fmt: skip
    """Return a question without any database."""
    id_ = new_id()
    about = {"id": new_id(), "run_id": id_, "tenant": "acme", "key": "q", "kind": "approval", "opened_at": NOW, **wait}
    run = Run(
        id=id_, tenant="acme", agent="refund", queue="default", status=status, pause_kind=pause, lease_worker=lease
    )
    return Question(Wait(request={"prompt": "Refund?", "onDeny": "cancel", **request}, **about), run, late)


def page(**request: Any) -> str:
    return bytes(question_page(asked(request), "the.token", Typed()).body).decode()


@pytest.mark.parametrize(
    ("value", "node"),
    [
        (True, Word("truth", "yes")),
        (False, Word("truth", "no")),
        (None, Word("nothing", "none")),
        ("", Word("nothing", "empty text")),
        ({}, Word("nothing", "no entries")),
        ([], Word("nothing", "no entries")),
        (0, Word("number", "0")),
        (1.0, Word("number", "1.0")),
        (10**30, Word("number", "1" + "0" * 30)),
        ("short", Text("short")),
        ("x" * 700, Text("x" * 700, "x" * 160)),
        ("a\n" * 12, Text("a\n" * 12, "a a a a a a a a a a a a")),
        ({"a": {"b": 1}}, Record([("a", Record([("b", Word("number", "1"))]))])),
        ([1, "x"], Listing([Word("number", "1"), Text("x")])),
        ([{"a": 1, "b": 2}, {"a": 3, "b": None}], Table(["a", "b"], [
            [Word("number", "1"), Word("number", "2")], [Word("number", "3"), Word("nothing", "none")]])),
    ],
)  # fmt: skip
def test_a_value_is_arranged_by_what_it_is(value: Any, node: Node) -> None:
    assert laid_out(value) == node


@pytest.mark.parametrize(
    "rows",
    [[{"a": 1, "b": 2}], [{"a": 1}, {"a": 2}], [{"a": 1, "b": 2}, {"b": 1, "a": 2}], [{"a": 1, "b": [1]}, {"a": 1, "b": 2}],
     [{"a": "x" * 41, "b": 1}, {"a": 1, "b": 1}], [{"a": 1, "b": 2}, 3], [dict.fromkeys("abcdef", 1)] * 2],
)  # fmt: skip
def test_what_makes_no_good_table_is_a_list(rows: list[Any]) -> None:
    assert isinstance(laid_out(rows), Listing)


def test_what_is_too_deep_or_too_large_is_json_and_whole() -> None:
    deep: Any = ["bottom"]
    for _ in range(DEEPEST + 3):
        deep = [deep]
    assert "bottom" in page(details=deep)
    many = laid_out({"few": [1], "many": list(range(MOST_PARTS)), "more": {"a": [2]}})
    assert isinstance(many, Record)
    kinds = {name: type(node) for name, node in many.members}
    assert kinds == {"few": Listing, "many": Json, "more": Record}
    assert json.loads(dict(many.members)["many"].text) == list(range(MOST_PARTS))  # type: ignore[union-attr]


class Texts(HTMLParser):
    """Reads a page's text, and its elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.said.append(data)


ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "a", "div", "header", "main", "footer", "section", "p", "h1", "h2", "dl",
    "dt", "dd", "span", "time", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "form",
    "input", "label", "bdi", "textarea", "button", "strong", "wbr", "fieldset", "legend", "select", "option",
}  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.sampled_from(["<script>alert(1)</script>", '"><img onerror=x>', "{{ 7 * 7 }}", "</style>", "&lt;", "\ud800", "\x00"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("<b onclick=x>"), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, st.text(min_size=1) | st.just("<script>alert(1)</script>"))
def test_no_value_becomes_an_element_or_gets_lost(value: Any, prompt: str) -> None:
    reader = Texts()
    reader.feed(page(details=value, prompt=prompt, choices=[prompt]))
    assert reader.elements <= ELEMENTS
    assert not {name for name in reader.attributes if name.startswith("on") or name in ("src", "style", "srcset")}
    said = "".join(reader.said)
    for text in _texts(value):
        assert legible(text).encode("utf-8", "replace").decode() in said


def _texts(value: Any) -> list[str]:
    """List the texts of a value that are shown unchanged, not inside of JSON."""
    if isinstance(value, dict):
        return [*map(str, value), *(text for item in value.values() for text in _texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 漢字 שלום 👩‍👧 a\tb\nc", "plain ä 漢字 שלום 👩‍👧 a\tb\nc"),
        ("a\r\nb\rc", "a\nb⟨U+000D⟩c"),
        ("invoice\u202efdp.exe", "invoice⟨U+202E⟩fdp.exe"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("a\u200bb\ufeff", "a⟨U+200B⟩b⟨U+FEFF⟩"),
        ("\x1b[31m\x00", "⟨U+001B⟩[31m⟨U+0000⟩"),
        ("\U000e0061", "⟨U+E0061⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("a\u2028b\x85", "a⟨U+2028⟩b⟨U+0085⟩"),
    ],
)  # fmt: skip
def test_what_nobody_could_see_is_named(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_what_was_typed_comes_back_as_it_was_also_what_nobody_sees() -> None:
    typed = "\n a\u202eb </textarea> "
    answer = question_page(
        asked({"answer": {"type": "string"}}), "t", Typed({"answer": [typed], "comment": [typed]}, {"answer": "No."})
    )
    areas = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", bytes(answer.body).decode(), re.DOTALL)
    assert [html.unescape(area) for area in areas] == [typed, typed]


def test_a_long_prompt_is_a_heading_and_a_text_and_nothing_is_lost() -> None:
    assert heading("Pay?") == heading(" Pay?\n")
    two = heading("Pay?\n\nIt is due.\nNow.")
    assert (two.text, two.rest, two.long) == ("Pay?", "It is due.\nNow.", False)
    words = " ".join(f"word{n}" for n in range(200))
    long = heading(words)
    assert len(long.text) < 130
    assert f"{long.text.removesuffix(' …')} {long.rest.removeprefix('… ')}" == words
    solid = heading("x" * 1000)
    assert len(solid.text) + len(solid.rest) == 1000 + len(" …… ")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "in less than a minute"), (-1, "just now"), (60, "in 1 minute"), (-119, "1 minute ago"), (7300, "in 2 hours"),
     (-86_400, "1 day ago"), (6.9 * 86_400, "in 6 days")],
)  # fmt: skip
def test_a_distance_in_time_is_said_in_its_largest_unit(seconds: float, said: str) -> None:
    assert phrases.distance(NOW + timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("status", "pause", "lease", "said"),
    [
        ("RUNNING", None, None, "continues as soon as a worker is free"),
        ("RUNNING", None, new_id(), "has continued"),
        ("PAUSED", "approval", None, "waits for another decision"),
        ("PAUSED", "user", None, "is paused"),
        ("PAUSED", "agent", None, "waits for something else"),
        ("AUTH_REQUIRED", None, None, "waits for an authorization"),
        ("QUEUED", None, None, "waits for its turn"),
        ("SUCCESS", None, None, "has finished"),
        ("FAILED", None, None, "has failed"),
        ("CANCELED", None, None, "is cancelled"),
    ],
)
def test_the_outcome_says_where_the_run_stands(status: str, pause: str | None, lease: Any, said: str) -> None:
    over = asked({}, status=status, pause=pause, lease=lease, resolved_at=NOW, outcome="approved", decided_by="Ann")
    body = bytes(outcome_page(over).body).decode()
    assert f"The run {said}" in body
    assert '<dd dir="auto">Ann</dd>' in body


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"outcome": "denied", "decided_by": "Ann"}, ("Denied", "The run continues")),
        (
            {"outcome": "denied"},
            ("The time to decide is over", "Nobody decided, so this counts as denied. The run continues"),
        ),
        ({"outcome": "expired"}, ("The time to decide is over", "so the run continues without a decision")),
        (
            {"outcome": "timeout"},
            ("The time to decide is over", "Nobody answered, so the run continues without an answer."),
        ),
        ({"outcome": "withdrawn"}, ("Withdrawn: the agent no longer asks", "The run continues")),
    ],
)
def test_each_end_of_a_question_has_its_words(over: dict[str, Any], said: tuple[str, str]) -> None:
    body = bytes(outcome_page(asked({}, status="RUNNING", pause=None, resolved_at=NOW, **over)).body).decode()
    assert f'<h1 dir="auto">{said[0]}</h1>' in body
    assert said[1] in body


@pytest.mark.parametrize(
    ("ended_after_s", "said"), [(0, "No decision is needed any more"), (1, "Withdrawn: the agent no longer asks")]
)
def test_a_question_that_is_withdrawn_says_by_the_end_of_the_run_or_by_its_agent(ended_after_s: int, said: str) -> None:
    over = asked({}, status="CANCELED", pause=None, resolved_at=NOW, outcome="withdrawn")
    over.run.finished_at = NOW + timedelta(seconds=ended_after_s)
    assert f'<h1 dir="auto">{said}</h1>' in bytes(outcome_page(over).body).decode()


def test_a_question_says_what_follows() -> None:
    week = NOW + timedelta(days=7)
    said = {policy: phrases.consequences(asked({"onDeny": policy}, due_at=week, on_due="denied"))
            for policy in ("cancel", "fail", "return", "raise")}  # fmt: skip
    assert {policy: sentences[1] for policy, sentences in said.items()} == dict.fromkeys(
        said, "If nobody decides by then, this counts as denied."
    )
    assert len({sentences[0] for sentences in said.values()}) == 4
    assert phrases.consequences(asked({"answer": {}})) == []
