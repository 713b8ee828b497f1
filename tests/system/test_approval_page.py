"""People decide in a browser: at a desk and on a phone, with only the keyboard, and without any JavaScript."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser
from pydantic import BaseModel
from taxiway.annotation_shapes import shape_of
from taxiway.schema import value_schema

from models.moves import NewWait
from models.waiting.questions import question, start_question
from tests.system.api_server import ApiServer
from tests.system.browsing import DESKTOP, PHONE, SMALLEST, Person, a_browser, person
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.people import HOUR, SETTINGS, token_of

ORDER = {
    "order": "A7", "paid": True, "coupon": None, "notes": "broken on arrival " * 60,
    "lines": [{"article": "lamp", "price": 79.5}, {"article": "bulb", "price": 4.5}],
    "address": {"street": "Ulica Długa 7", "geo": {"lat": 50.06, "lon": 19.94}},
}  # fmt: skip
PARCEL = {
    "$defs": {
        "Address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "number": {"type": "integer", "minimum": 1}},
            "required": ["street", "number"],
            "additionalProperties": False,
        }
    },
    "type": "object",
    "properties": {
        "to": {"$ref": "#/$defs/Address"},
        "speed": {"enum": ["standard", "express"]},
        "insured": {"type": "boolean"},
        "on": {"type": "string", "format": "date"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "worth": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    },
    "required": ["to", "speed", "insured", "on", "worth"],
    "additionalProperties": False,
}
HOSTILE = {
    "<img src=x onerror=alert(1)>": "<script>alert(1)</script>",
    "link": "javascript:alert(1)",
    "quotes": "\"><svg onload=alert(1)>' autofocus onfocus=alert(1) x='",
    "turned": "invoice\u202efdp.exe",
    "hidden": "\U000e0064\U000e0065\U000e006e\U000e0079",
    "right to left": "שלום עולם",
    "unbroken": "x" * 20_000,
    "style": "</style><style>body{display:none}</style>",
    "many": list(range(5000)),
    "deep": [[[[[[[[[{"a": [1]}]]]]]]]]],
}


@dataclass
class Home:
    street: str
    country: str = "DE"
    sure: bool = True


class Place(NamedTuple):
    street: str
    country: str = "DE"
    sure: bool = True


class Spot(BaseModel):
    street: str
    country: str = "DE"
    sure: bool = True


Ask = Callable[..., str]
pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as started:
        yield started


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture
def ask(api: ApiServer, fake_worker: FakeWorker, run: str) -> Ask:
    """Return a function that asks a question of the run, and returns the link."""

    def link(wait: NewWait | None = None, *, due_ms: int = HOUR, on_due: str = "denied", **request: Any) -> str:
        asked = {"prompt": "Refund order A7?", "onDeny": "cancel", **request}
        wait = wait or question("q", asked, due_ms, on_due)
        fake_worker.ask(run, wait)
        return f"{api.url}/v1/runs/approval?token={token_of(wait)}"

    return link


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def somebody(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Person]:
    """Return a person at a desk, and one with a phone that is set to dark; neither has JavaScript."""
    scheme = "light" if request.param == DESKTOP else "dark"
    with person(browser, request.param, color_scheme=scheme) as one:
        yield one
        assert not one.scrolls_sideways()


def decided(fake_worker: FakeWorker, run: str) -> tuple[Any, ...]:
    sql = "SELECT outcome, answer::text AS answer, comment FROM wait WHERE run_id = %s ORDER BY id LIMIT 1"
    row = fake_worker.connection.execute(sql, [run]).fetchone()
    assert row
    return row["outcome"], json.loads(row["answer"] or "null"), row["comment"]


def test_an_approval_is_read_and_given(somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str) -> None:
    page = somebody.page
    page.goto(ask(details=ORDER))
    assert page.title() == "Refund order A7? · Taxiway"
    assert somebody.heading() == "Refund order A7?"
    shown = page.inner_text("main")
    for said in ("refund", "acme", run, "Decide by", "UTC", "yes", "none", "79.5", "50.06", "Ulica Długa 7"):
        assert said in shown
    assert not page.get_by_text(ORDER["notes"].strip(), exact=True).is_visible(), "a long text is folded"
    page.get_by_text("The whole text").click()
    assert page.get_by_text(ORDER["notes"].strip(), exact=True).is_visible()
    assert not somebody.scrolls_sideways()

    somebody.press("Approve")
    assert somebody.heading() == "Approved"
    assert "a person with the link" in page.inner_text("main")
    assert "continues as soon as a worker is free" in page.inner_text("main")
    page.reload()
    assert somebody.heading() == "Approved"
    assert decided(fake_worker, run) == ("approved", None, None)


def test_a_denial_carries_a_comment(somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str) -> None:
    somebody.page.goto(ask())
    assert "If you deny, the run is cancelled." in somebody.page.inner_text("main")
    somebody.page.get_by_label("Comment").fill("Too dear.\nSorry")
    somebody.press("Deny")
    assert somebody.heading() == "Denied"
    assert "The run is cancelled." in somebody.page.inner_text("main")
    assert decided(fake_worker, run) == ("denied", None, "Too dear.\nSorry")


def test_each_choice_has_a_button(somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str) -> None:
    somebody.page.goto(ask(choices=["air", "by <sea> & land"]))
    names = [button.inner_text() for button in somebody.page.get_by_role("button").all()]
    assert names == ["Approve: air", "Approve: by <sea> & land", "Deny"]
    somebody.press("Approve: by <sea> & land")
    assert somebody.heading() == "Approved: by <sea> & land"
    assert decided(fake_worker, run) == ("approved", {"choice": "by <sea> & land"}, None)


def test_an_answer_is_corrected_and_given_in_its_type(
    somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str
) -> None:
    page = somebody.page
    page.goto(ask(answer=PARCEL, prompt="Where to?", on_due="timeout"))
    page.get_by_label("Street").fill("Elm")
    page.get_by_label("Number").fill("0")
    page.get_by_label("express").check()
    page.get_by_label("On", exact=True).fill("2026-12-24")
    page.get_by_label("Labels").fill("fragile\n\n  this side up ")
    somebody.press("Send the answer")

    assert page.title().startswith("Error: ")
    alert = page.get_by_role("alert")
    assert [line.inner_text() for line in alert.get_by_role("listitem").all()] == ["Insured: Choose one."]
    assert "Not sent yet" in somebody.focused(), "what is wrong has the focus"
    alert.get_by_role("link", name="Insured").click()
    assert page.get_by_role("group", name="Insured").evaluate("element => element === document.activeElement")
    page.get_by_label("Yes").check()
    somebody.press("Send the answer")
    assert [line.inner_text() for line in page.get_by_role("alert").get_by_role("listitem").all()] == [
        "Number: Must be at least 1."
    ]
    number = page.get_by_label("Number")
    assert number.get_attribute("aria-invalid") == "true"
    told = "e => document.getElementById(e.getAttribute('aria-describedby').trim().split(' ').at(-1)).textContent"
    assert number.evaluate(told) == "Error: Must be at least 1."
    assert decided(fake_worker, run) == (None, None, None)
    assert (page.get_by_label("Street").input_value(), page.get_by_label("express").is_checked()) == ("Elm", True)
    number.fill("7")
    number.press("Enter")
    assert somebody.heading() == "Answered"
    answer = {"to": {"street": "Elm", "number": 7}, "speed": "express", "insured": True, "on": "2026-12-24",
              "labels": ["fragile", "this side up"], "worth": None}  # fmt: skip
    assert decided(fake_worker, run) == ("answered", {"answer": answer}, None)
    assert "this side up" in page.inner_text("main")


@pytest.mark.parametrize("kind", [Home, Place, Spot])
def test_the_defaults_of_the_answers_type_stand_in_the_form(
    somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str, kind: Any
) -> None:
    page = somebody.page
    page.goto(ask(answer=value_schema(shape_of(kind)), prompt="Where to?", on_due="timeout"))
    country = page.get_by_label("Country (optional)")
    assert (country.input_value(), country.get_attribute("aria-required")) == ("DE", None)
    assert page.get_by_label("Yes").is_checked()
    somebody.press("Send the answer")
    assert [line.inner_text() for line in page.get_by_role("alert").get_by_role("listitem").all()] == [
        "Street: Fill this in."
    ]
    page.get_by_label("Street").fill("Elm")
    somebody.press("Send the answer")
    assert somebody.heading() == "Answered"
    named = {"street": "Elm", "country": "DE", "sure": True}
    answer = list(named.values()) if kind is Place else named
    assert decided(fake_worker, run) == ("answered", {"answer": answer}, None)


def test_what_may_begin_and_what_may_be_called_is_shown(somebody: Person, ask: Ask, acme: httpx.Client) -> None:
    somebody.page.goto(ask(start_question("refund", json.dumps(INPUT))))
    shown = somebody.page.inner_text("main")
    assert somebody.heading() == "Start refund?"
    assert "Approval needed to start" in shown
    assert "A7" in shown
    assert "12.5" in shown


def test_a_call_shows_its_function_and_its_arguments(somebody: Person, ask: Ask) -> None:
    call = {"function": "delete_files", "arguments": {"paths": ["/srv/a"], "force": False}}
    somebody.page.goto(ask(prompt="Call delete_files?", details=call, step={"key": "k", "name": "delete_files"}))
    shown = somebody.page.inner_text("main")
    for said in ("Function\ndelete_files", "Arguments", "/srv/a", "force", "no"):
        assert said in shown


def test_a_used_link_shows_what_became_of_it(somebody: Person, ask: Ask) -> None:
    link = ask()
    httpx.post(link.partition("?")[0], json={"token": link.partition("=")[2], "decision": "deny", "comment": "no"})
    somebody.page.goto(link)
    assert somebody.heading() == "Denied"
    assert somebody.page.get_by_role("button").count() == 0


def test_a_link_whose_time_is_over_says_so_before_and_after_the_clock_was_told(
    somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str
) -> None:
    link = ask()
    fake_worker.connection.execute("UPDATE wait SET due_at = now() - interval '1 s' WHERE run_id = %s", [run])
    somebody.page.goto(link)
    assert somebody.heading() == "The time to decide is over"
    assert "Nobody decided, so this counts as denied." in somebody.page.inner_text("main")
    assert somebody.page.get_by_role("button").count() == 0
    fake_worker.connection.execute(
        "UPDATE wait SET resolved_at = now(), outcome = 'denied' WHERE run_id = %s AND resolved_at IS NULL", [run]
    )
    somebody.page.reload()
    assert somebody.heading() == "The time to decide is over"


def test_when_the_run_has_ended_nobody_needs_to_decide(
    somebody: Person, ask: Ask, acme: httpx.Client, run: str
) -> None:
    link = ask()
    somebody.page.goto(link)
    assert acme.delete(f"/v1/runs/{run}").json()["status"] == "CANCELED"
    somebody.press("Approve")  # on the page that was opened before
    assert somebody.heading() == "No decision is needed any more"
    assert "Too late: your decision was not recorded." in somebody.page.inner_text("main")
    somebody.page.goto(link)
    assert "The run is cancelled." in somebody.page.inner_text("main")
    assert "Too late: your decision was not recorded." not in somebody.page.inner_text("main")


def test_a_link_that_is_not_known_says_what_to_do(somebody: Person, ask: Ask, api: ApiServer) -> None:
    link = ask()
    for bad in (
        link[:-3],
        link.replace("token=", "token=x"),
        f"{api.url}/v1/runs/approval?token=",
        link.partition("?")[0],
    ):
        answer = somebody.page.goto(bad)
        assert answer is not None
        assert answer.status in (400, 404)
        assert somebody.page.get_by_role("button").count() == 0
        assert somebody.page.locator(".lead").inner_text()


def test_the_keyboard_alone_is_enough(somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str) -> None:
    page = somebody.page
    page.goto(ask(details=ORDER))
    seen = []
    while "Approve" not in seen:
        page.keyboard.press("Tab")
        seen.append(somebody.focused())
        outline = page.evaluate(
            "(s => `${s.outlineStyle} ${s.outlineWidth}`)(getComputedStyle(document.activeElement))"
        )
        assert outline == "solid 3px", f"the focus on {seen[-1]!r} is seen"
        assert len(seen) < 20, seen
    assert seen[0] == "Skip to the decision"
    assert [name.partition(" ")[0] for name in seen[-2:]] == ["Comment", "Approve"]
    page.keyboard.press("Tab")
    assert somebody.focused() == "Deny"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Approved").wait_for()
    assert decided(fake_worker, run)[0] == "approved"


def test_the_first_stop_of_the_keyboard_leads_past_the_details(somebody: Person, ask: Ask) -> None:
    page = somebody.page
    page.goto(ask(details=ORDER))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert somebody.focused().startswith("Comment")


@pytest.mark.parametrize(
    ("suggested", "first"),
    [("decision=deny", "Deny"), ("decision=approve&choice=sea", "Approve: sea"), ("choice=air", "Approve: air")],
)
def test_a_decision_in_the_address_is_set_out_and_decides_nothing(
    somebody: Person, ask: Ask, fake_worker: FakeWorker, run: str, suggested: str, first: str
) -> None:
    somebody.page.goto(f"{ask(choices=['air', 'sea'])}&{suggested}")
    assert f"This link suggests: {first}. Nothing is decided until you press a button." in somebody.page.inner_text(
        "main"
    )
    buttons = somebody.page.get_by_role("button")
    assert buttons.first.inner_text() == first
    assert (somebody.page.locator("button.first").count(), buttons.count()) == (1, 3)
    assert decided(fake_worker, run) == (None, None, None)


def test_what_an_agent_shows_is_inert_whatever_it_is(
    browser: Browser, ask: Ask, fake_worker: FakeWorker, run: str
) -> None:
    link = ask(prompt="<script>alert(1)</script> Pay\u202e?", details=HOSTILE, choices=["<b>air</b>"])
    with person(browser, PHONE, script=True) as one:
        one.page.goto(f"{link}&comment=%3C/textarea%3E%3Cscript%3Ealert(1)%3C/script%3E&choice=%22%3E%3Cscript%3E")
        assert one.heading() == "<script>alert(1)</script> Pay⟨U+202E⟩?"
        shown = one.page.inner_text("main")
        for said in ("<script>alert(1)</script>", "invoice⟨U+202E⟩fdp.exe", "⟨U+E0064⟩", "שלום עולם"):
            assert said in shown
        assert one.page.locator("script, img, svg, iframe, object, embed, a:not(.skip)").count() == 0
        assert one.page.locator("style").count() == 1
        assert one.page.locator("main *").count() < 1000
        assert not one.scrolls_sideways()
        one.page.get_by_label("Comment").fill("")
        one.press("Approve: <b>air</b>")
        assert one.heading() == "Approved: <b>air</b>"
        assert one.complaints == [], "no dialog ran, nothing was blocked"
        assert all(url.startswith(link.partition("?")[0]) for url in one.fetched), one.fetched
    assert decided(fake_worker, run) == ("approved", {"choice": "<b>air</b>"}, None)


@pytest.mark.parametrize("width", [DESKTOP, PHONE, SMALLEST])
@pytest.mark.parametrize("request_", [{"details": ORDER}, {"answer": PARCEL}, {"choices": ["x" * 200, "sea"]}], ids=str)
def test_nobody_scrolls_sideways_and_every_input_has_a_name(
    browser: Browser, ask: Ask, width: int, request_: dict[str, Any]
) -> None:
    with person(browser, width) as one:
        one.page.goto(ask(prompt=f"Really {'long' * 100}?", **request_))
        assert not one.scrolls_sideways()
        assert one.page.evaluate("document.documentElement.lang") == "en"
        assert one.page.get_by_role("heading", level=1).count() == 1
        assert one.page.get_by_role("main").count() == 1
        nameless = """[...document.querySelectorAll('input:not([type=hidden]), textarea, select')]
            .filter(element => !element.labels.length || !element.labels[0].innerText.trim()).map(element => element.outerHTML)"""
        assert one.page.evaluate(nameless) == []
        twice = """(ids => ids.filter((id, n) => ids.indexOf(id) !== n))([...document.querySelectorAll('[id]')].map(e => e.id))"""
        assert one.page.evaluate(twice) == []
        small = """[...document.querySelectorAll('button, textarea, select, input[type=text]')]
            .filter(element => element.getBoundingClientRect().height < 44).map(element => element.outerHTML)"""
        assert one.page.evaluate(small) == [], "a thumb hits every target"
