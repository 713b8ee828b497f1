"""The body of POST /v1/runs/bulk/{action}: a filter with the criteria of GET /v1/runs."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from api.http.fields import Metadata, Moment, Name, Tag, Text, schema_keywords
from api.http.openapi_narrowing import without_null
from api.http.parsing import Body
from api.http.problems import invalid
from api.shapes import Category, RunStatus
from models.runs.run_filter import Label, RunFilter


def _run_id(value: object) -> UUID:
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            pass
    raise ValueError("must be the id of a run")


RunId = Annotated[UUID, BeforeValidator(_run_id, json_schema_input_type=str), schema_keywords(format="uuid")]


def _one_at_least(schema: dict[str, Any]) -> None:
    without_null(schema)
    schema["minProperties"] = 1


class FilterBody(Body):
    """Criteria that a run must all meet; at least one is needed."""

    model_config = ConfigDict(json_schema_extra=_one_at_least)

    status: Annotated[list[RunStatus], Field(min_length=1, max_length=20)] | None = None
    category: Category | None = None
    agent: Name | None = None
    queue: Name | None = None
    tag: (
        Annotated[list[Tag], Field(min_length=1, max_length=32, description="Runs that have all of these tags.")] | None
    ) = None
    metadata: Annotated[Metadata, Field(min_length=1)] | None = None
    createdAfter: Moment | None = None  # noqa: N815  as the API spells it
    createdBefore: Moment | None = None  # noqa: N815  as the API spells it
    userId: Annotated[Text, Field(max_length=255)] | None = None  # noqa: N815  as the API spells it
    parentRunId: Annotated[RunId, Field(description="Runs that this run started.")] | None = None  # noqa: N815  as above

    @field_validator("*", mode="before")
    @classmethod
    def _no_null(cls, value: object) -> object:
        # A program with an empty variable would otherwise select all runs.
        if value is None:
            raise ValueError("must not be null: leave it out to match any value")
        return value

    def run_filter(self, tenant: str) -> RunFilter:
        """Return the filter for this tenant's runs; raises Problem if it would match all of them."""
        tags = [Label("tag", tag) for tag in self.tag or ()]
        metadata = [Label("metadata", name, value) for name, value in (self.metadata or {}).items()]
        wanted = RunFilter(
            tenant,
            self.status or (),
            self.category,
            self.agent,
            self.queue,
            self.userId,
            self.parentRunId,
            [*metadata, *tags],
            self.createdAfter,
            self.createdBefore,
        )
        if wanted.is_anything:
            raise invalid("filter", "names no criterion; to select very many runs, use for example a category")
        return wanted


class BulkRequest(Body):
    """The runs to act on, or only to count."""

    filter: FilterBody
    dryRun: Annotated[bool, Field(description="Only count the runs.")] = False  # noqa: N815  as the API spells it
