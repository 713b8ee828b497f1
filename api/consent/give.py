"""What an authorization comes to: a grant stored and every run woken that waits for it, or a refusal for the one that asked.

The run that asked is woken in the transaction that stores the grant; all others are told by the outbox, because no transaction
of ours updates two runs.
"""

from collections.abc import Sequence

from api.consent.asked import Authorization
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


def give(
    found: Authorization, tokens: Tokens, asked: tuple[str, ...], giver: Giver, shared: Resources
) -> tuple[str, ...]:
    """Store what a `giver` gave for the scopes that were `asked`; return the scopes that the run still lacks.

    Raises Problem `provider_failed` when the provider is another one by now: its tokens are never stored as the new one's.
    """
    given = tokens.sealed(shared.settings.secret_key, found.holder, asked)
    with transaction() as connection:
        # The run row first, then the grant and its lock: in this order by everybody, see `models.authorization.grants`.
        run_state = waits.lock_run(found.run.id, found.run.tenant).one(connection)
        assert run_state is not None, "runs are never deleted while they have waits"
        if grants.store(found.holder, given, giver).one(connection) is None:
            raise changed(found)
        grants.lock(found.holder.key).one(connection)
        others = grants.tell_others(connection, found.holder, found.run.id)
        moved = waits.wake(connection, run_state, waits.authorize(found.run.id).all(connection))
    announce(shared.bus, run_state, moved)
    if others:
        shared.bus.wake_up(bus.PROMOTE, found.run.queue)  # the scheduler folds what this means to them
    fact("grant.given", provider=found.holder.provider, run=found.run.id, others=others)
    return tuple(scope for scope in found.scopes if scope not in given.scopes)


def changed(found: Authorization) -> Problem:
    """Say that the provider became another one while a person was there."""
    detail = f"{found.holder.provider} was changed while you were there. Open the link once more, and nothing is lost."
    return Problem("provider_failed", detail)


def decide(found: Authorization, outcome: str, comment: str | None, shared: Resources) -> bool:
    """Give the wait of one run its outcome: what a person refused, or another system carried out. False: it has one already."""
    with transaction() as connection:
        run_state = waits.lock_run(found.run.id, found.run.tenant).one(connection)
        assert run_state is not None, "as above"
        over = waits.decide(found.run.id, found.wait.id, outcome=outcome, by=BY_LINK, comment=comment).all(connection)
        moved = waits.wake(connection, run_state, over)
    announce(shared.bus, run_state, moved)
    fact("wait.decided", run=found.run.id, wait=found.wait.id, outcome=outcome)
    return bool(over)


def asks_for(found: Authorization, default: Sequence[str]) -> tuple[str, ...]:
    """Give the scopes to ask a provider for: the run's, the provider's own, and those that the grant has had until now.

    A new consent takes the place of the old one, and must not take away what other runs rely on.
    """
    with transaction() as connection:
        held = grants.held(found.holder).one(connection)
    before = held.scopes if held and held.live else ()
    return tuple(sorted({*found.scopes, *default, *before}))


def provider_row(name: str) -> ProviderRow | None:
    """Read a provider as it is configured now."""
    with transaction() as connection:
        return oauth_client.find(name).one(connection)
