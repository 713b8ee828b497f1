"""The page of an open question: what is asked, what it is about, and the form that decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from api.page.field import Field
from api.page.form import form_of
from api.page.form_values import Given
from api.page.rendering import Page
from api.page.value_layout import Node, laid_out
from api.people.decision_body import MAX_COMMENT
from api.people.question import Question
from models.waiting.questions import START

_LONG_HEADING = 120
_LONGEST_HEADING = 400


@dataclass(frozen=True, slots=True)
class Typed:
    """What came with the address or was typed before, and what is wrong with it: beside a field, or altogether."""

    given: Given = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    general: Sequence[str] = ()

    @property
    def wrong(self) -> bool:
        """Whether something is."""
        return bool(self.errors or self.general)

    def last(self, name: str) -> str:
        """Give what was typed into a field that has one value."""
        return (self.given.get(name) or ("",))[-1]


def question_page(question: Question, token: str, typed: Typed, status: int = 200) -> Page:
    """Show an open question. A decision that the address suggests is set out, and decides nothing."""
    buttons = _buttons(question, typed)
    return Page(
        "question.html",
        status,
        question=question,
        token=token,
        heading=heading(question.prompt),
        kind=_kind(question),
        function=_function(question),
        section=_section(question),
        form=answer_form(question),
        typed=typed,
        buttons=buttons,
        suggested=_suggestion(buttons, typed),
        max_comment=MAX_COMMENT,
        now=datetime.now(UTC),
    )


def answer_form(question: Question) -> Field | None:
    """Give the form of a question that wants an answer."""
    return None if question.answer_schema is None else form_of(question.answer_schema)


@dataclass(frozen=True, slots=True)
class Heading:
    """A prompt as a heading, with what does not fit into one below it."""

    text: str
    rest: str
    long: bool


def heading(prompt: str) -> Heading:
    """Split a prompt; nothing of it is lost."""
    first, _, rest = prompt.strip().partition("\n")
    if len(first) > _LONGEST_HEADING:
        cut = first.rfind(" ", 0, _LONG_HEADING)
        cut = cut if cut > 0 else _LONG_HEADING
        first, rest = f"{first[:cut]} …", f"… {first[cut:].lstrip()}\n{rest}"
    return Heading(first.strip(), rest.strip(), len(first) > _LONG_HEADING)


@dataclass(frozen=True, slots=True)
class Button:
    """A way to decide; the first one is set out."""

    name: str
    value: str
    label: str
    look: str
    first: bool = False


def _kind(question: Question) -> str:
    if question.answer_schema is not None:
        return "A question for you"
    if question.asked.get("subject") == START:
        return "Approval needed to start"
    return "Approval needed for a call" if question.asked.get("step") else "Approval needed"


def _function(question: Question) -> str | None:
    """Name the function whose call is asked about, where it is one."""
    details = question.details
    called = question.asked.get("step") and isinstance(details, dict) and set(details) == {"function", "arguments"}
    return str(details["function"]) if called else None


def _section(question: Question) -> tuple[str, Node] | None:
    """Give what the decision is about, under its title."""
    details = question.details
    if question.asked.get("subject") == START:
        return "Input", laid_out(details["input"])
    if _function(question):
        return "Arguments", laid_out(details["arguments"])
    return None if details is None else ("Details", laid_out(details))


def _buttons(question: Question, typed: Typed) -> list[Button]:
    """Give the ways to decide. One that is suggested comes first and is set out; else approving is, if there is one way to."""
    if question.answer_schema is not None:
        return [Button("decision", "answer", "Send the answer", "approve", first=True)]
    ways = [Button("choice", choice, f"Approve: {choice}", "approve") for choice in question.choices or ()]
    ways = ways or [Button("decision", "approve", "Approve", "approve")]
    ways.append(Button("decision", "deny", "Deny", "deny"))
    wanted = _suggested(ways, typed)
    first = wanted or (ways[0] if len(ways) == 2 else None)
    return [replace(way, first=way is first) for way in sorted(ways, key=lambda way: way is not wanted)]


def _suggested(ways: Sequence[Button], typed: Typed) -> Button | None:
    """Give the button that the address, or what was submitted before, names; None where that is none."""
    decision, choice = typed.last("decision"), typed.last("choice")
    named = ("choice", choice) if choice and decision != "deny" else ("decision", decision)
    return next((way for way in ways if (way.name, way.value) == named), None)


def _suggestion(buttons: Sequence[Button], typed: Typed) -> str | None:
    """Say what the address suggests; None where it suggests nothing."""
    found = _suggested(buttons, typed)
    return found.label if found and found.value != "answer" and not typed.wrong else None
