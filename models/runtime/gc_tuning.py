"""Has Python's garbage collector look less often, and only at what came since a process began to work."""

import gc

NEW_OBJECTS = 50_000  # between two looks at the youngest; Python's own number is 700
SELDOM = 20, 100  # so many looks until one at the older, and at all


def settle() -> None:
    """To be called once everything is loaded: that stays, and need not be walked again and again."""
    gc.set_threshold(NEW_OBJECTS, *SELDOM)
    gc.freeze()
