"""Environment of agent hosts: no variable of Taxiway, and no variable that contains one of its credentials."""

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, unquote, urlsplit

from models.runtime.settings import Settings

_OURS = ("TAXIWAY_", "CELERY_", "FLOWER_", "PG", "PYTHON")
_SHORT = 6  # a shorter "secret" (a user name, a test password) would strip innocent variables


def _credentials(settings: Settings) -> set[str]:
    found = {settings.secret_key}
    for url in (settings.database_url, settings.direct_url, settings.redis_url):
        parts = urlsplit(url)
        found.add(url)
        if parts.password:  # a short one is found together with its user and server, whatever the scheme
            found |= {parts.password, unquote(parts.password), parts.netloc}
        words = parse_qs(parts.query)
        for name in ("password", "sentinel_password", "ssl_password"):
            for password in words.get(name, ()):
                found |= {password, quote(password, safe="")}
    return {secret for secret in found if len(secret) >= _SHORT}


def host_environment(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return the host's environment: the worker's without Taxiway's own, or only what `TAXIWAY_AGENT_ENV` allows."""
    secrets = _credentials(settings)
    allowed = None
    if settings.agent_env is not None:
        allowed = {name.strip() for name in settings.agent_env.split(",")} | {"PATH", "LANG", "LC_ALL", "TZ"}
    return {
        name: value
        for name, value in environment.items()
        if (name in allowed if allowed is not None else not name.startswith(_OURS))
        and not any(secret in value for secret in secrets)
    }
