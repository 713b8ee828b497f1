"""The errors of the law, one class per decision that a caller takes.

TaxiwayError
├── SettingsError        a setting is missing or wrong: say the sentence, exit 2
├── DatabaseAway         PostgreSQL cannot be reached: retry with back-off, or answer 503
├── OnceUnknown          a step that is executed once at most may have been executed: ask whether it is to be repeated
├── Forgotten            a run was deleted while it was looked at: answer as if it had never been
├── SealBroken           a stored secret cannot be read: say why, ask for a new one
├── ProviderRefused      an OAuth provider said no: what was asked for is not to be had this way
└── ProviderAway         an OAuth provider cannot be reached or makes no sense: try again
"""


class TaxiwayError(Exception):
    """Base of every error that this package raises on purpose; its text is a sentence for people."""


class SettingsError(TaxiwayError):
    """A setting is missing or wrong; the sentence names the variable and the fix."""


class DatabaseAway(TaxiwayError):
    """PostgreSQL could not be reached or went away while it was asked."""


class OnceUnknown(TaxiwayError):
    """Nobody knows what `step` did, which is to be executed once at most."""

    def __init__(self, step: str) -> None:
        super().__init__(f"Nobody knows what step {step} did, which is to be executed once at most.")
        self.step = step


class Forgotten(TaxiwayError):
    """The run has been deleted: it had ended long ago."""


class SealBroken(TaxiwayError):
    """A stored secret cannot be read; the text says why."""


class ProviderRefused(TaxiwayError):
    """An OAuth provider refused; `code` is the error that it named, such as `invalid_grant`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ProviderAway(TaxiwayError):
    """An OAuth provider did not answer, or answered what is no OAuth 2."""
