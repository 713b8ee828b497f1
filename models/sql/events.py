"""SQL parts of events: times, and the question that a wait asks people. They never contain a token."""


def rfc3339(column: str) -> str:
    """Return the SQL for a time as RFC 3339 in UTC with milliseconds, as `models.runs.public_event.timestamp` does."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def question_json(wait: str) -> str:
    """Return the SQL for the data of an event about a wait that people have to answer; `wait` names its row."""
    members = ("prompt", "details", "choices", "approvers", "answer", "step", "provider", "scopes", "subject")
    request = ", ".join(f"'{name}', {wait}.request -> '{name}'" for name in members)
    return f"""(SELECT json_object_agg(key, value) FROM json_each(json_build_object('waitId', {wait}.id,
        'expiresAt', {rfc3339(f"{wait}.due_at")}, 'digest', {wait}.digest, {request})) WHERE value::text <> 'null')"""
