"""Filter of runs, shared by listing, counting and bulk operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from models.ids import earliest
from models.lifecycle import STATES, State, category

# An id is made by the clock of the machine that accepted the run, `created_at` by that of the database: they may be a day apart.
_SKEW = timedelta(days=1)

_CRITERIA = {
    "status": "status = ANY(%(status)s)",
    "category": "status || coalesce(' ' || pause_kind, '') = ANY(%(category)s)",
    "agent": "agent = %(agent)s",
    "queue": "queue = %(queue)s",
    "user_id": "user_id = %(user_id)s",
    "parent": "parent_run_id = %(parent)s",
    "created_after": "created_at > %(created_after)s",
    "created_before": "created_at < %(created_before)s",
}
_LABELLED = """EXISTS (SELECT FROM label WHERE label.run_id = run.id AND label.tenant = %(tenant)s AND kind = %(kind_{n})s
        AND name = %(name_{n})s AND value = %(value_{n})s{each})"""
_NOT_GIVEN: tuple[Any, ...] = (None, (), [], {})


@dataclass(frozen=True, slots=True)
class Label:
    """A tag (of no value), or a key of metadata with its value."""

    kind: str
    name: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """The runs of a tenant that meet every criterion that is given."""

    tenant: str
    status: Sequence[str] = ()
    category: str | None = None
    agent: str | None = None
    queue: str | None = None
    user_id: str | None = None
    parent: UUID | None = None
    labels: Sequence[Label] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None

    def condition(self, *, one_by_one: bool = False) -> tuple[str, dict[str, Any]]:
        """Write them as a condition on a row of `run`, with its parameters; the tenant is part of it.

        With `one_by_one` it costs the same for each run that is looked at, however many have the same label; without, the
        planner may begin with the label.
        """
        given = {name: getattr(self, name) for name in _CRITERIA if getattr(self, name) not in _NOT_GIVEN}
        sql = ["run.tenant = %(tenant)s", *(_CRITERIA[name] for name in given)]
        params: dict[str, Any] = {"tenant": self.tenant, **given}
        if self.status:
            params["status"] = list(self.status)
        if self.category is not None:
            params["category"] = _states(self.category)
        for n, label in enumerate(self.labels):
            # The planner would read all that has the label once, and then look each run up in what it read.
            sql.append(_LABELLED.format(n=n, each=" OFFSET 0" if one_by_one else ""))
            params |= {f"kind_{n}": label.kind, f"name_{n}": label.name, f"value_{n}": label.value}
        return "\n    AND ".join(sql), params

    def bounds(self, skew: timedelta = _SKEW) -> tuple[UUID, UUID]:
        """Return ids between which all of the runs lie: ids are in the order of age, except for clocks that differ by `skew`."""
        apart = round(skew.total_seconds() * 1000) << 80
        first = max(0, earliest(self.created_after).int - apart) if self.created_after else 0
        last = earliest(self.created_before).int + apart if self.created_before else (1 << 128) - 1
        return UUID(int=first), UUID(int=last)

    @property
    def states(self) -> frozenset[State]:
        """The states of the lifecycle that a run may be in to be meant."""
        return frozenset(
            state
            for state in STATES
            if (not self.status or state.status in self.status) and self.category in (None, category(state))
        )

    def document(self) -> dict[str, Any]:
        """Write what is given as JSON, by the names that the API has for it."""
        tags = [label.name for label in self.labels if label.kind == "tag"]
        metadata = {label.name: label.value for label in self.labels if label.kind == "metadata"}
        said = {
            "status": list(self.status), "category": self.category, "agent": self.agent, "queue": self.queue, "tag": tags,
            "metadata": metadata, "createdAfter": self.created_after and self.created_after.isoformat(),
            "createdBefore": self.created_before and self.created_before.isoformat(), "userId": self.user_id,
            "parentRunId": self.parent and str(self.parent),
        }  # fmt: skip
        return {name: value for name, value in said.items() if value not in _NOT_GIVEN}

    @classmethod
    def read(cls, tenant: str, document: Mapping[str, Any]) -> Self:
        """Read back what `document` wrote."""
        tags = [Label("tag", tag) for tag in document.get("tag", ())]
        metadata = [Label("metadata", name, value) for name, value in document.get("metadata", {}).items()]
        after, before, parent = (document.get(name) for name in ("createdAfter", "createdBefore", "parentRunId"))
        return cls(
            tenant,
            document.get("status", ()),
            document.get("category"),
            document.get("agent"),
            document.get("queue"),
            document.get("userId"),
            UUID(parent) if parent else None,
            [*tags, *metadata],
            datetime.fromisoformat(after) if after else None,
            datetime.fromisoformat(before) if before else None,
        )

    @property
    def is_anything(self) -> bool:
        """Whether no criterion is given but the tenant."""
        return all(getattr(self, field.name) in _NOT_GIVEN for field in fields(self) if field.name != "tenant")


def _states(name: str) -> list[str]:
    return [" ".join(filter(None, (state.status, state.pause_kind))) for state in STATES if category(state) == name]
