"""Writes the parts of SQL that say in an event what a person is asked, or what a person decided; never a token."""


def rfc3339(column: str) -> str:
    """Write a moment as RFC 3339 in UTC with milliseconds, as `models.runs.public_event.timestamp` does."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def question_json(wait: str) -> str:
    """Write what the event says of a wait that somebody has to answer; `wait` names its row."""
    asked = ("prompt", "details", "choices", "approvers", "answer", "step", "provider", "scopes", "subject")
    members = ", ".join(f"'{name}', {wait}.request -> '{name}'" for name in asked)
    return f"""(SELECT json_object_agg(key, value) FROM json_each(json_build_object('waitId', {wait}.id,
        'expiresAt', {rfc3339(f"{wait}.due_at")}, 'digest', {wait}.digest, {members})) WHERE value::text <> 'null')"""
