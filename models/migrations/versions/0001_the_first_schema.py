"""The first schema: a function for each table, as long as its columns are many. It never changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, each with its indexes."""
    _agent()
    _api_key()
    _delivery()
    _event()
    _grant()
    _idempotency()
    _label()
    _log()
    _outbox()
    _payload()
    _queue()
    _run()
    _schedule()
    _signal()
    _step()
    _tenant_share()
    _wait()
    _webhook()
    _window()
    _worker()


def _agent() -> None:
    op.create_table(
        "agent",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("input_schema", sa.JSON(), nullable=False),
        sa.Column("timeout_ms", sa.BigInteger(), nullable=True),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("run_limit", sa.Integer(), nullable=True),
        sa.Column("window_name", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("api_key_hash", "api_key", ["hash"], unique=True)


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("webhook_id", "run_id", "seq"),
    )
    op.create_index(
        "delivery_due",
        "delivery",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL AND dead_at IS NULL"),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_was", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "seq"),
    )


def _grant() -> None:
    op.create_table(
        "grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("grant_holder", "grant", ["tenant", "subject", "provider"], unique=True)


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_digest", sa.Text(), nullable=False),
        sa.Column("run_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key"),
    )
    op.create_index("idempotency_age", "idempotency", ["created_at"], unique=False)


def _label() -> None:
    op.create_table(
        "label",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("kind IN ('tag', 'metadata')", name="label_kind_known"),
        sa.PrimaryKeyConstraint("run_id", "kind", "name"),
    )
    op.create_index(
        "label_search", "label", ["tenant", "kind", "name", "value", sa.literal_column("run_id DESC")], unique=False
    )


def _log() -> None:
    op.create_table(
        "log",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "n"),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("target_run_id", sa.Uuid(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outbox_target", "outbox", ["target_run_id", "id"], unique=False)


def _payload() -> None:
    op.create_table(
        "payload",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("run_id"),
    )


def _queue() -> None:
    op.create_table(
        "queue",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("run_limit", sa.Integer(), nullable=True),
        sa.Column("window_name", sa.Text(), nullable=True),
        sa.Column("rate", sa.JSON(), nullable=True),
        sa.Column("weights", sa.JSON(), nullable=True),
        sa.Column("hold_keys", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("virtual_time", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("agent_version", sa.Text(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("window_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'QUEUED'"), nullable=False),
        sa.Column("status_was", sa.Text(), nullable=True),
        sa.Column("pause_kind", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("inbox", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pending_waits", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fair_tag", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("resumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_on", sa.Text(), nullable=True),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("concurrency_key", sa.Text(), nullable=True),
        sa.Column("on_conflict", sa.Text(), server_default=sa.text("'queue'"), nullable=False),
        sa.Column("approval_strategy", sa.Text(), server_default=sa.text("'NONE'"), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("ticket_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ticket_n", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_worker", sa.Uuid(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_n", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("control_request", sa.Text(), nullable=True),
        sa.Column("control_reason", sa.Text(), nullable=True),
        sa.Column("control_by", sa.Text(), nullable=True),
        sa.Column("control_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("control_grace_ms", sa.BigInteger(), nullable=True),
        sa.Column("step_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("step_in_flight", sa.Text(), nullable=True),
        sa.Column("recorded_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("log_lines", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("log_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("timeout_ms", sa.BigInteger(), nullable=True),
        sa.Column("active_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("activations", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("crashes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("losses", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("parent_run_id", sa.Uuid(), nullable=True),
        sa.Column("parent_key", sa.Text(), nullable=True),
        sa.Column("retry_of", sa.Uuid(), nullable=True),
        sa.Column("continued_as", sa.Uuid(), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(ready_at IS NOT NULL) = (status IN ('QUEUED', 'RUNNING') AND lease_worker IS NULL)",
            name="run_ready_or_leased",
        ),
        sa.CheckConstraint("(status = 'PAUSED') = (pause_kind IS NOT NULL)", name="run_paused_has_kind"),
        sa.CheckConstraint(
            "(status IN ('SUCCESS', 'FAILED', 'CANCELED')) = (finished_at IS NOT NULL)", name="run_terminal_is_finished"
        ),
        sa.CheckConstraint(
            "approval_strategy IN ('NONE', 'ON_START', 'ON_TOOL_CALL')", name="run_approval_strategy_known"
        ),
        sa.CheckConstraint("control_request IN ('pause', 'cancel')", name="run_control_known"),
        sa.CheckConstraint("lease_worker IS NULL OR status = 'RUNNING'", name="run_only_running_is_leased"),
        sa.CheckConstraint("on_conflict IN ('queue', 'skip', 'cancel_running')", name="run_on_conflict_known"),
        sa.CheckConstraint("pause_kind IN ('approval', 'user', 'agent')", name="run_pause_kind_known"),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'AUTH_REQUIRED', 'PAUSED', 'SUCCESS', 'FAILED', 'CANCELED')",
            name="run_status_known",
        ),
        sa.CheckConstraint("priority BETWEEN -100 AND 100", name="run_priority_in_range"),
        sa.CheckConstraint("ticket_at IS NULL OR lease_worker IS NULL", name="run_ticket_or_lease"),
        sa.CheckConstraint("ticket_at IS NULL OR ready_at IS NOT NULL", name="run_only_ready_is_promoted"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "run_blocked",
        "run",
        ["blocked_on", "blocked_until"],
        unique=False,
        postgresql_where=sa.text("blocked_on IS NOT NULL"),
    )
    op.create_index(
        "run_in_flight",
        "run",
        ["lease_worker", "queue"],
        unique=False,
        postgresql_where=sa.text("ticket_at IS NOT NULL OR lease_worker IS NOT NULL"),
    )
    op.create_index(
        "run_parent", "run", ["parent_run_id"], unique=False, postgresql_where=sa.text("parent_run_id IS NOT NULL")
    )
    op.create_index(
        "run_ready",
        "run",
        ["queue", "agent", "window_name", "resumed", sa.literal_column("priority DESC"), "fair_tag", "id"],
        unique=False,
        postgresql_where=sa.text(
            "ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL AND control_request IS NULL"
        ),
    )
    op.create_index("run_tenant", "run", ["tenant", "id"], unique=False)


def _schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("overlap", sa.Text(), server_default=sa.text("'skip'"), nullable=False),
        sa.Column("catch_up", sa.Text(), server_default=sa.text("'none'"), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("catch_up IN ('none', 'last')", name="schedule_catch_up_known"),
        sa.CheckConstraint("overlap IN ('skip', 'queue')", name="schedule_overlap_known"),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    op.create_index("schedule_next", "schedule", ["next_at"], unique=False, postgresql_where=sa.text("NOT paused"))


def _signal() -> None:
    op.create_table(
        "signal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=True),
        sa.Column("consumed_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "signal_once",
        "signal",
        ["run_id", "name", "sender_id"],
        unique=True,
        postgresql_where=sa.text("sender_id IS NOT NULL"),
    )
    op.create_index(
        "signal_unconsumed",
        "signal",
        ["run_id", "name", "id"],
        unique=False,
        postgresql_where=sa.text("consumed_by IS NULL"),
    )


def _step() -> None:
    op.create_table(
        "step",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.CheckConstraint("(status = 'succeeded') = (value IS NOT NULL)", name="step_succeeded_has_value"),
        sa.CheckConstraint("status <> 'failed' OR error IS NOT NULL", name="step_failed_has_error"),
        sa.CheckConstraint("status IN ('succeeded', 'failed', 'retrying', 'intended')", name="step_status_known"),
        sa.PrimaryKeyConstraint("run_id", "key"),
    )


def _tenant_share() -> None:
    op.create_table(
        "tenant_share",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), server_default=sa.text("1"), nullable=False),
        sa.Column("last_tag", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("weight > 0", name="tenant_share_weight_positive"),
        sa.PrimaryKeyConstraint("queue", "tenant"),
        postgresql_with={"fillfactor": 50},
    )


def _wait() -> None:
    op.create_table(
        "wait",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("wake", sa.Text(), server_default=sa.text("'all'"), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("grant_key", sa.Text(), nullable=True),
        sa.Column("request", sa.JSON(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("on_due", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('approval', 'authorization', 'signal', 'timer', 'child', 'user', 'window', 'code')",
            name="wait_kind_known",
        ),
        sa.CheckConstraint("(resolved_at IS NULL) = (outcome IS NULL)", name="wait_resolved_has_outcome"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "wait_grant",
        "wait",
        ["grant_key"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL AND grant_key IS NOT NULL"),
    )
    op.create_index(
        "wait_inbox",
        "wait",
        ["tenant", "kind", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "wait_one_open_per_key", "wait", ["run_id", "key"], unique=True, postgresql_where=sa.text("resolved_at IS NULL")
    )
    op.create_index(
        "wait_timer",
        "wait",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL AND due_at IS NOT NULL"),
    )


def _webhook() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_tenant", "webhook", ["tenant"], unique=False)


def _window() -> None:
    op.create_table(
        "window",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'window'"), nullable=False),
        sa.Column("on_close", sa.Text(), server_default=sa.text("'finish'"), nullable=False),
        sa.Column("override", sa.Text(), nullable=True),
        sa.Column("override_by", sa.Text(), nullable=True),
        sa.Column("override_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('window', 'blackout')", name="window_kind_known"),
        sa.CheckConstraint("on_close IN ('finish', 'pause')", name="window_on_close_known"),
        sa.PrimaryKeyConstraint("name"),
    )


def _worker() -> None:
    op.create_table(
        "worker",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("agents", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("draining", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("liveness_key", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consuming_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("slots >= 0", name="worker_slots_not_negative"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("worker_alive", "worker", ["queue"], unique=False, postgresql_where=sa.text("dead_at IS NULL"))
