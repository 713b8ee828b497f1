"""Check that everything given was used; the error names first why the run failed, if it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from taxiway.testing.errors import Unused
from taxiway.testing.given import Given
from taxiway.testing.outcome import Outcome


def check_all_used(left: Sequence[Given], waited: Sequence[str], outcome: Outcome) -> None:
    """Raise Unused if something given is left."""
    if not left:
        return
    unused = tuple(one.said for one in left)
    titles = ", ".join(map(repr, waited)) or "nothing"
    sentence = f"no wait of the run took {', '.join(unused)}; it waited for {titles}"
    if outcome.error is None:
        problem = Unused(f"{sentence}, and is {outcome.status}")
    else:
        # What was not used is a consequence: the run ended before it reached that wait.
        traceback = f"\n\n{outcome.error.traceback}" if outcome.error.traceback else ""
        problem = Unused(f"the run is {outcome}{outcome.error.where}; so {sentence}{traceback}")
    problem.outcome = replace(outcome, unused=unused)
    raise problem
