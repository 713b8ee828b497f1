"""The errors of the law, one class per decision that a caller takes.

TaxiwayError
├── SettingsError        a setting is missing or wrong: say the sentence, exit 2
├── DatabaseAway         PostgreSQL cannot be reached: retry with back-off, or answer 503
└── IllegalMove          the run is not in a status from which the move may begin: answer 409
"""


class TaxiwayError(Exception):
    """Base of every error that this package raises on purpose; its text is a sentence for people."""


class SettingsError(TaxiwayError):
    """A setting is missing or wrong; the sentence names the variable and the fix."""


class DatabaseAway(TaxiwayError):
    """PostgreSQL could not be reached or went away while it was asked."""


class IllegalMove(TaxiwayError):
    """The run's status does not allow the move."""
