"""Address and API key of the server: from arguments, then from the environment, then from `.taxiway/up.env`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from taxiway.client.errors import NotConfigured

UP_ENV = Path(".taxiway") / "up.env"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Address:
    """A server's base URL and its API key."""

    url: str
    api_key: str = field(repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine, so that requests must not use a proxy."""
        return httpx.URL(self.url).host in LOOPBACK


def find_address(
    url: str | None = None,
    api_key: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Address:
    """Return the address. `environ` and `folder` default to those of the process.

    Raises NotConfigured if either part is missing or unusable.
    """
    environ = os.environ if environ is None else environ
    up = read_up_env(folder or Path.cwd())
    chosen = url or environ.get("TAXIWAY_URL") or up.get("TAXIWAY_URL")
    if not chosen:
        raise NotConfigured(
            "No server address: pass url=… (--url), set TAXIWAY_URL, or run `make up`, which writes .taxiway/up.env."
        )
    chosen = _checked_url(chosen)
    key = api_key or environ.get("TAXIWAY_API_KEY")
    # The key in up.env belongs to the server in the same file: it is never sent to another one.
    if not key and up.get("TAXIWAY_URL", "").rstrip("/") == chosen:
        key = up.get("TAXIWAY_API_KEY")
    if not key:
        raise NotConfigured(f"No API key for {chosen}: pass api_key=… (--api-key) or set TAXIWAY_API_KEY.")
    return Address(chosen, _checked_key(key))


def read_up_env(folder: Path) -> dict[str, str]:
    """Read the nearest `.taxiway/up.env` in this folder or above; return an empty dict if it is missing or unreadable."""
    for place in (folder, *folder.parents):
        try:
            return parse_env((place / UP_ENV).read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError):
            return {}
    return {}


def parse_env(text: str) -> dict[str, str]:
    """Parse KEY=VALUE lines, with `#` comments, a leading `export`, and quotes around the value."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name.strip()] = value
    return values


def _checked_url(text: str) -> str:
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise NotConfigured(f"The server address {text!r} cannot be read: {error}.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise NotConfigured(f"The server address {text!r} must look like http://127.0.0.1:8000.")
    return str(url).rstrip("/")


def _checked_key(text: str) -> str:
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise NotConfigured(
            "The API key contains characters that no key has; copy it again (TAXIWAY_API_KEY or --api-key)."
        )
    return key
