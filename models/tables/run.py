"""The run: narrow on purpose, only what moves and what the scheduler reads.

A step changes only columns that no index holds, so that recording it is a HOT update (fill factor 80). At most one of
`ticket_at` (promoted, not yet claimed) and `lease_worker` (executing) is set; `ready_at` is set from the moment the run
may execute until it is claimed.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.lifecycle import PauseKind, Status
from models.tables import columns

_STATUSES = ", ".join(f"'{status}'" for status in Status)
_PAUSE_KINDS = ", ".join(f"'{kind}'" for kind in PauseKind)
_WAITING_FOR_A_SLOT = text(
    "ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL"
)


class Run(SQLModel, table=True):
    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(f"status IN ({_STATUSES})", name="run_status_known"),
        CheckConstraint(f"pause_kind IN ({_PAUSE_KINDS})", name="run_pause_kind_known"),
        CheckConstraint(
            "(status IN ('SUCCESS', 'FAILED', 'CANCELED')) = (finished_at IS NOT NULL)", name="run_terminal_is_finished"
        ),
        CheckConstraint("(status = 'PAUSED') = (pause_kind IS NOT NULL)", name="run_paused_has_kind"),
        CheckConstraint("ticket_at IS NULL OR lease_worker IS NULL", name="run_ticket_or_lease"),
        CheckConstraint("lease_worker IS NULL OR status = 'RUNNING'", name="run_only_running_is_leased"),
        CheckConstraint("ticket_at IS NULL OR ready_at IS NOT NULL", name="run_only_ready_is_promoted"),
        CheckConstraint(
            "(ready_at IS NOT NULL) = (status IN ('QUEUED', 'RUNNING') AND lease_worker IS NULL)", name="run_ready_or_leased"
        ),
        CheckConstraint("control_request IN ('window', 'pause', 'cancel')", name="run_control_known"),
        CheckConstraint("approval_strategy IN ('NONE', 'ON_START', 'ON_TOOL_CALL')", name="run_approval_strategy_known"),
        CheckConstraint("on_conflict IN ('queue', 'skip', 'cancel_running')", name="run_on_conflict_known"),
        CheckConstraint("priority BETWEEN -100 AND 100", name="run_priority_in_range"),
        Index(
            "run_ready", "queue", "agent", "window_name", "resumed", text("priority DESC"), "fair_tag", "id",
            postgresql_where=_WAITING_FOR_A_SLOT,
        ),
        Index(
            "run_in_flight", "lease_worker", "queue", postgresql_where=text("ticket_at IS NOT NULL OR lease_worker IS NOT NULL")
        ),
        Index(
            "run_blocked", "blocked_on", text("coalesce(blocked_until, '-infinity'::timestamptz)"), text("priority DESC"),
            "fair_tag", "id", postgresql_where=text("blocked_on IS NOT NULL"),
        ),
        Index("run_tenant", "tenant", "id"),
        Index("run_children", "parent_run_id", "id", postgresql_where=text("parent_run_id IS NOT NULL")),
        Index("run_open", "tenant", "id", postgresql_where=text("finished_at IS NULL")),
        Index("run_unhappy", "tenant", "id", postgresql_where=text("status IN ('FAILED', 'CANCELED')")),
        Index("run_user", "tenant", "user_id", "id", postgresql_where=text("user_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.02, "vacuum_index_cleanup": "on"}},
    )  # fmt: skip

    id: UUID = Field(sa_column=columns.identity(primary=True))
    tenant: str = Field(sa_column=columns.words(null=False))
    agent: str = Field(sa_column=columns.words(null=False))
    agent_version: str | None = Field(None, sa_column=columns.words())
    queue: str = Field(sa_column=columns.words(null=False))
    window_name: str = Field("", sa_column=columns.words(null=False, default=""))
    user_id: str | None = Field(None, sa_column=columns.words())

    # Where it stands. `status_was` is the status before the last move: RETURNING shows no old values before PostgreSQL 18.
    status: str = Field(Status.QUEUED, sa_column=columns.words(null=False, default="QUEUED"))
    status_was: str | None = Field(None, sa_column=columns.words())
    pause_kind: str | None = Field(None, sa_column=columns.words())
    reason: str | None = Field(None, sa_column=columns.words())
    seq: int = Field(0, sa_column=columns.count())
    inbox: int = Field(0, sa_column=columns.count())
    pending_waits: int = Field(0, sa_column=columns.count())

    # The order in which it is promoted, and what holds it back.
    priority: int = Field(0, sa_column=columns.small())
    fair_tag: float = Field(0, sa_column=columns.real())
    resumed: bool = Field(False, sa_column=columns.flag())
    ready_at: datetime | None = Field(None, sa_column=columns.moment())
    blocked_on: str | None = Field(None, sa_column=columns.words())
    blocked_until: datetime | None = Field(None, sa_column=columns.moment())
    not_before: datetime | None = Field(None, sa_column=columns.moment())
    expires_at: datetime | None = Field(None, sa_column=columns.moment())
    lined: bool = Field(False, sa_column=columns.flag())
    concurrency_key: str | None = Field(None, sa_column=columns.words())
    on_conflict: str = Field("queue", sa_column=columns.words(null=False, default="queue"))
    approval_strategy: str = Field("NONE", sa_column=columns.words(null=False, default="NONE"))

    # The fence. `recorded_n` is the number of the activation's last committed item.
    epoch: int = Field(0, sa_column=columns.count())
    ticket_at: datetime | None = Field(None, sa_column=columns.moment())
    ticket_n: int = Field(0, sa_column=columns.count())
    lease_worker: UUID | None = Field(None, sa_column=columns.identity(null=True))
    claimed_at: datetime | None = Field(None, sa_column=columns.moment())
    recorded_n: int = Field(0, sa_column=columns.count())

    # A request that could not be carried out immediately.
    control_request: str | None = Field(None, sa_column=columns.words())
    control_reason: str | None = Field(None, sa_column=columns.words())
    control_by: str | None = Field(None, sa_column=columns.words())
    control_at: datetime | None = Field(None, sa_column=columns.moment())
    control_grace_ms: int | None = Field(None, sa_column=columns.large(default=None, null=True))

    # Progress and limits.
    step_count: int = Field(0, sa_column=columns.count())
    step_in_flight: str | None = Field(None, sa_column=columns.words())
    recorded_bytes: int = Field(0, sa_column=columns.large())
    log_lines: int = Field(0, sa_column=columns.count())
    log_bytes: int = Field(0, sa_column=columns.large())
    timeout_ms: int | None = Field(None, sa_column=columns.large(default=None, null=True))
    active_ms: int = Field(0, sa_column=columns.large())
    activations: int = Field(0, sa_column=columns.count())
    crashes: int = Field(0, sa_column=columns.count())
    losses: int = Field(0, sa_column=columns.count())

    # Relatives.
    parent_run_id: UUID | None = Field(None, sa_column=columns.identity(null=True))
    parent_key: str | None = Field(None, sa_column=columns.words())
    children: int = Field(0, sa_column=columns.count())
    retry_of: UUID | None = Field(None, sa_column=columns.identity(null=True))
    continued_as: UUID | None = Field(None, sa_column=columns.identity(null=True))
    callback_url: str | None = Field(None, sa_column=columns.words())
    created_by: UUID | None = Field(None, sa_column=columns.identity(null=True))

    created_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
    promoted_at: datetime | None = Field(None, sa_column=columns.moment())
    started_at: datetime | None = Field(None, sa_column=columns.moment())
    finished_at: datetime | None = Field(None, sa_column=columns.moment())
    updated_at: datetime | None = Field(None, sa_column=columns.moment(null=False, now=True))
