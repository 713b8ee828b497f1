"""Environment of all processes of a stack: ours, with the addresses of the stack."""

from __future__ import annotations

import os
import urllib.parse

from ops.stack.options import StackOptions
from ops.stack.secrets import lasting_secret

FLOWER_USER = "taxiway"


def environment(
    options: StackOptions, *, database_url: str, redis_url: str, port: int, flower_port: int
) -> dict[str, str]:
    """Return the variables; values from the caller's environment (a public address, a secret key) are kept."""
    chosen = {**os.environ, **options.env}
    defaults = {
        "TAXIWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TAXIWAY_PRIVATE_PROVIDERS": "true",  # such as the loopback provider of the examples
        "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{lasting_secret(options.base / 'flower.password')}",
    }
    decided = {
        # Kept across restarts, so that delivered links stay valid.
        "TAXIWAY_SECRET_KEY": chosen.get("TAXIWAY_SECRET_KEY") or lasting_secret(options.base / "secret.key"),
        "TAXIWAY_DATABASE_URL": database_url,
        "TAXIWAY_REDIS_URL": redis_url,
        "TAXIWAY_AGENTS": options.agents,
        "FLOWER_PORT": str(flower_port),
        # Unbuffered, because buffered log lines of a killed process would be lost.
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **chosen, **decided}


def with_password(url: str, user_and_password: str) -> str:
    """Return an HTTP address with its login, for a browser."""
    user, _, password = user_and_password.partition(":")
    login = f"{urllib.parse.quote(user)}:{urllib.parse.quote(password)}"
    return url.replace("://", f"://{login}@", 1)
