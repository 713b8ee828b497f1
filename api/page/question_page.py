"""The page of an open question: its prompt, its details, and the form that decides."""

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
    """Values from the address or from an earlier submission, with their errors: of single fields, or general ones."""

    given: Given = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    general: Sequence[str] = ()

    @property
    def wrong(self) -> bool:
        """Whether there is any error."""
        return bool(self.errors or self.general)

    def last(self, name: str) -> str:
        """Return the value of a field that has one value."""
        return (self.given.get(name) or ("",))[-1]


def question_page(question: Question, token: str, typed: Typed, status: int = 200) -> Page:
    """Show an open question. A decision suggested by the address is highlighted, and decides nothing."""
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
    """Return the form of a question that asks for an answer; None for an approval."""
    return None if question.answer_schema is None else form_of(question.answer_schema)


@dataclass(frozen=True, slots=True)
class Heading:
    """A prompt as a heading; `rest` is the part that does not fit."""

    text: str
    rest: str
    long: bool


def heading(prompt: str) -> Heading:
    """Split a prompt; no text is lost."""
    first, _, rest = prompt.strip().partition("\n")
    if len(first) > _LONGEST_HEADING:
        cut = first.rfind(" ", 0, _LONG_HEADING)
        cut = cut if cut > 0 else _LONG_HEADING
        first, rest = f"{first[:cut]} …", f"… {first[cut:].lstrip()}\n{rest}"
    return Heading(first.strip(), rest.strip(), len(first) > _LONG_HEADING)


@dataclass(frozen=True, slots=True)
class Button:
    """A way to decide; `first` is highlighted."""

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
    """Return the function whose call needs approval; None if the question is not about a call."""
    details = question.details
    called = question.asked.get("step") and isinstance(details, dict) and set(details) == {"function", "arguments"}
    return str(details["function"]) if called else None


def _section(question: Question) -> tuple[str, Node] | None:
    """Return the details of the decision, with their title."""
    details = question.details
    if question.asked.get("subject") == START:
        return "Input", laid_out(details["input"])
    if _function(question):
        return "Arguments", laid_out(details["arguments"])
    return None if details is None else ("Details", laid_out(details))


def _buttons(question: Question, typed: Typed) -> list[Button]:
    """Return the ways to decide. The suggested one is first and highlighted; else approval, if there is one way to approve."""
    if question.answer_schema is not None:
        return [Button("decision", "answer", "Send the answer", "approve", first=True)]
    ways = [Button("choice", choice, f"Approve: {choice}", "approve") for choice in question.choices or ()]
    ways = ways or [Button("decision", "approve", "Approve", "approve")]
    ways.append(Button("decision", "deny", "Deny", "deny"))
    wanted = _suggested(ways, typed)
    first = wanted or (ways[0] if len(ways) == 2 else None)
    return [replace(way, first=way is first) for way in sorted(ways, key=lambda way: way is not wanted)]


def _suggested(ways: Sequence[Button], typed: Typed) -> Button | None:
    """Return the button named by the address or an earlier submission; None if it names no button."""
    decision, choice = typed.last("decision"), typed.last("choice")
    named = ("choice", choice) if choice and decision != "deny" else ("decision", decision)
    return next((way for way in ways if (way.name, way.value) == named), None)


def _suggestion(buttons: Sequence[Button], typed: Typed) -> str | None:
    """Return the label of the suggested decision, or None."""
    found = _suggested(buttons, typed)
    return found.label if found and found.value != "answer" and not typed.wrong else None
