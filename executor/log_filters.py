"""Keeps what Celery says about its broker to one line for each change: lost, still away, back."""

import logging

AWAY, BACK = "consumer: Cannot connect to", "Connected to"
ADVICE = "CPendingDeprecationWarning"  # at each loss of the broker, of a setting that has been made


class OncePerOutage(logging.Filter):
    """Lets the first failed attempt to connect through, and no other until one has succeeded."""

    def __init__(self) -> None:
        super().__init__()
        self._away = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line is written; the texts are Celery's own."""
        text = str(record.msg)
        if record.name == "py.warnings" and ADVICE in record.getMessage():
            return False
        if text.startswith(BACK):
            self._away = False
        if not text.startswith(AWAY):
            return True
        first, self._away = not self._away, True
        return first
