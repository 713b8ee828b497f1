"""Outcome of an authorization: a stored grant that wakes every run waiting for it, or a refusal for one run.

The run that asked is woken in the transaction that stores the grant. All other runs are woken by the outbox, because no
transaction updates two runs.
"""

from collections.abc import Sequence

from api.consent.authorization import Authorization
from api.http.problems import Problem
from api.http.transactions import transaction
from api.people.decide import BY_LINK
from api.resources import Resources
from models.authorization import grants, oauth_client
from models.authorization.givers import Giver
from models.authorization.oauth_client import ProviderRow, Tokens
from models.runs.announcing import announce
from models.runtime import bus
from models.runtime.facts import fact
from models.waiting import waits
from models.waiting.wake import wake_run


def store_grant(
    found: Authorization, tokens: Tokens, asked: tuple[str, ...], giver: Giver, shared: Resources
) -> tuple[str, ...]:
    """Store the tokens that a `giver` gave for the scopes that were `asked`; return the scopes that the run still lacks.

    Raises Problem `provider_failed` if the provider's configuration has changed: old tokens are never stored for the new one.
    """
    given = tokens.sealed(shared.settings.secret_key, found.holder, asked)
    with transaction() as connection:
        # Lock order everywhere: the run row, then the grant and its lock. See `models.authorization.grants`.
        run_state = waits.lock_run(found.run.id, found.run.tenant).one(connection)
        assert run_state is not None, "runs are never deleted while they have waits"
        if grants.store(found.holder, given, giver).one(connection) is None:
            raise provider_changed(found)
        grants.lock(found.holder.key).one(connection)
        others = grants.tell_others(connection, found.holder, found.run.id)
        moved = wake_run(connection, run_state, waits.authorize(found.run.id).all(connection))
    announce(shared.bus, run_state, moved)
    if others:
        shared.bus.wake_up(bus.PROMOTE, found.run.queue)  # the scheduler applies the outbox to them
    fact("grant.given", provider=found.holder.provider, run=found.run.id, others=others)
    return tuple(scope for scope in found.scopes if scope not in given.scopes)


def provider_changed(found: Authorization) -> Problem:
    """Return the problem of a provider that was changed while a person was there."""
    detail = f"{found.holder.provider} was changed while you were there. Open the link again; nothing is lost."
    return Problem("provider_failed", detail)


def record_outcome(found: Authorization, outcome: str, comment: str | None, shared: Resources) -> bool:
    """Resolve the wait of one run: refused by a person, or performed by another system. False: it was resolved already."""
    with transaction() as connection:
        run_state = waits.lock_run(found.run.id, found.run.tenant).one(connection)
        assert run_state is not None, "as above"
        over = waits.decide(found.run.id, found.wait.id, outcome=outcome, by=BY_LINK, comment=comment).all(connection)
        moved = wake_run(connection, run_state, over)
    announce(shared.bus, run_state, moved)
    fact("wait.decided", run=found.run.id, wait=found.wait.id, outcome=outcome)
    return bool(over)


def requested_scopes(found: Authorization, default: Sequence[str]) -> tuple[str, ...]:
    """Return the scopes to request: the run's, the provider's defaults, and those of the present grant.

    A new consent replaces the old one, and must not take scopes away from other runs.
    """
    with transaction() as connection:
        held = grants.held(found.holder).one(connection)
    before = held.scopes if held and held.live else ()
    return tuple(sorted({*found.scopes, *default, *before}))


def provider_row(name: str) -> ProviderRow | None:
    """Read the present configuration of a provider."""
    with transaction() as connection:
        return oauth_client.find(name).one(connection)
