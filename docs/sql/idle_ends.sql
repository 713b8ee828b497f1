-- Generated from models/idle_ends.py; README.md tells how to EXPLAIN a statement.

-- close
-- Withdraws the run's open waits. A statement of its own: the end may have waited for a park that opened waits, and its own
-- snapshot would not show them.
UPDATE wait SET resolved_at = now(), outcome = 'withdrawn' WHERE run_id = %(run)s AND resolved_at IS NULL RETURNING id;
