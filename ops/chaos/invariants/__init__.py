"""Checks of the promises on the tables and the effect log, each with its number in the design."""

from ops.chaos.invariants import counting, execution, families, history, people, places, tasks
from ops.chaos.invariants.facts import Check, Facts

CHECKS: tuple[Check, ...] = (
    history.ends_for_good,
    execution.begins_once,
    execution.runs_alone,
    execution.is_not_executed_again,
    execution.has_happened,
    tasks.knows_its_records,
    tasks.goes_one_way,
    history.is_gapless,
    history.holds_nothing_while_parked,
    history.is_all_there,
    history.ends_as_it_should,
    counting.crashes_have_a_cause,
    counting.losses_have_a_cause,
    people.decides_once,
    tasks.hears_its_own_decision,
    people.cancel_comes_first,
    people.leaves_no_question_open,
    places.holds_a_key_alone,
    families.starts_each_child_once,
    families.ends_together,
    families.reaches_everybody,
)
keeps_secrets = counting.keeps_secrets

__all__ = ["CHECKS", "Facts", "keeps_secrets"]
