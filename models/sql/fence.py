"""The fence: the condition under which an activation may still write its run."""

# The epoch refuses a worker that wakes up late; the lease refuses a worker that lost the run within the epoch.
# Without `coalesce` the planner may use the index of runs in flight. While an old snapshot is open, it would read every run
# that the worker ever held (measured: 50,000 of them make a step ten times slower). With it, the planner uses the run's key.
FENCE = "epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)"
UNDER_FENCE = f"id = %(run)s AND {FENCE}"
