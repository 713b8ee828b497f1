"""The environment that all processes of one stack share: ours, plus where everything is."""

from __future__ import annotations

import os
import urllib.parse

from ops.stack.options import StackOptions
from ops.stack.secrets import lasting_secret

FLOWER_USER = "taxiway"


def environment(
    options: StackOptions, *, database_url: str, redis_url: str, port: int, flower_port: int
) -> dict[str, str]:
    """Return the variables; what the caller's environment chose (a public address, a secret key) stays chosen."""
    chosen = {**os.environ, **options.env}
    defaults = {
        "TAXIWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TAXIWAY_PRIVATE_PROVIDERS": "true",  # the loopback provider of the examples is one
        "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{lasting_secret(options.base / 'flower.password')}",
    }
    decided = {
        # The same as before a restart, so that links that were given out stay good.
        "TAXIWAY_SECRET_KEY": chosen.get("TAXIWAY_SECRET_KEY") or lasting_secret(options.base / "secret.key"),
        "TAXIWAY_DATABASE_URL": database_url,
        "TAXIWAY_REDIS_URL": redis_url,
        "TAXIWAY_AGENTS": options.agents,
        "FLOWER_PORT": str(flower_port),
        # A log that appears only when a buffer is full tells nothing about a process that was killed.
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **chosen, **decided}


def with_password(url: str, user_and_password: str) -> str:
    """Return an HTTP address that carries its own login, for a browser."""
    user, _, password = user_and_password.partition(":")
    login = f"{urllib.parse.quote(user)}:{urllib.parse.quote(password)}"
    return url.replace("://", f"://{login}@", 1)
