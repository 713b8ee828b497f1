"""Log filter of Celery's messages about its broker: one line for each change (lost, still away, back)."""

import logging

AWAY, BACK = "consumer: Cannot connect to", "Connected to"
ADVICE = "CPendingDeprecationWarning"  # logged at each loss of the broker, about a setting that is set already


class OncePerOutage(logging.Filter):
    """Passes the first failed attempt to connect, and no other until an attempt has succeeded."""

    def __init__(self) -> None:
        super().__init__()
        self._away = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is written; the texts are Celery's own."""
        text = str(record.msg)
        if record.name == "py.warnings" and ADVICE in record.getMessage():
            return False
        if text.startswith(BACK):
            self._away = False
        if not text.startswith(AWAY):
            return True
        first, self._away = not self._away, True
        return first
