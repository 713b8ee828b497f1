"""Pages that end an authorization, in the style of all pages for people."""

from typing import Any

from starlette.requests import Request

from api.http.error_handlers import refuse_with
from api.http.problems import CODES, Problem
from api.page.approval import wants_json
from api.page.rendering import Page


def page(said: str, advice: str, status: int = 200, *, again: str | None = None) -> Page:
    """Return a page; `again` is the link to try once more."""
    return Page("authorization.html", status, said=said, advice=advice, again=again)


async def for_people(request: Request) -> None:
    """Answer people with a page for every error, also if the database is unreachable or the address is cut off."""
    if not wants_json(request):
        refuse_with(request, _problem_page)


def _problem_page(problem: Problem) -> Page:
    shown: dict[str, Any] = {"said": CODES[problem.code][1], "advice": problem.detail, "again": None}
    return Page("authorization.html", problem.status, problem.headers, **shown)


def refused(request: Request, problem: Problem, again: str | None = None) -> Page:
    """Return a refusal as a page; raises the problem itself if the request asks for JSON."""
    if wants_json(request):
        raise problem
    return page(CODES[problem.code][1], problem.detail, problem.status, again=again)
