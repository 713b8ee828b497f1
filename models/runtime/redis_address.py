"""The address of Redis or Valkey, read once and with one meaning for every client: hints, Celery's broker, Flower.

    redis://[user]:password@host:6379/0
    rediss://…                              the same by TLS; the server's certificate is verified
    sentinel://:password@a:26379,b:26379/0?master=NAME&sentinel_password=…

Celery's words and redis-py's words for TLS are both understood: `ssl_cert_reqs=CERT_REQUIRED` is `ssl_cert_reqs=required`.
"""

import re
import ssl
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote

PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379}
_CERTIFICATES = {"none": "none", "optional": "optional", "required": "required"}
_CERTIFICATES |= {f"cert_{word}": word for word in tuple(_CERTIFICATES)}
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_TLS = ("ssl_cert_reqs", *_FILES, "ssl_password", "ssl_check_hostname")
_SENTINEL = ("master", "sentinel_username", "sentinel_password", "ssl", "sentinel_ssl")
_ENCODE = "write characters such as / ? # and spaces of its password percent-encoded (/ is %2F)"

Host = tuple[str, int]


@dataclass(frozen=True)
class RedisAddress:
    """A checked address. `tls` holds redis-py's arguments, which Celery takes too; it is None without TLS."""

    hosts: tuple[Host, ...]
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: dict[str, Any] | None = field(default=None, repr=False)
    master: str | None = None
    """Name of the group that the sentinels watch; None when `hosts` is the server itself."""
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    sentinel_tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address; raises ValueError with a sentence that never repeats a password."""
        scheme, authority, path, query = _parts(text)
        user, _, hosts = authority.rpartition("@")
        username, _, password = user.partition(":")
        words = _words(query, scheme)
        if scheme == "sentinel" and not words.get("master"):
            raise ValueError("names no group of servers: write sentinel://a:26379,b:26379/0?master=NAME")
        tls = _tls(words) if _wants_tls(scheme, words) else None
        return cls(
            hosts=_hosts(hosts, scheme),
            db=_database(path),
            username=unquote(username) or None,
            password=unquote(password) or None,
            tls=tls,
            master=words.get("master"),
            sentinel_username=words.get("sentinel_username"),
            sentinel_password=words.get("sentinel_password"),
            sentinel_tls=scheme == "sentinel" and _flag(words, "sentinel_ssl", default=tls is not None),
        )

    @property
    def broker_url(self) -> str:
        """The address as Celery reads it. Every sentinel has an address of its own, tried in turn."""
        scheme = "sentinel" if self.master else "rediss" if self.tls is not None else "redis"
        user = f"{quote(self.username or '', '')}:{quote(self.password or '', '')}@"
        user = user if self.username or self.password else ""
        return ";".join(f"{scheme}://{user}{_written(host)}:{port}/{self.db}" for host, port in self.hosts)

    def sentinel_options(self) -> dict[str, Any]:
        """Return the arguments of connections to the sentinels: short waits, because the next one is asked then."""
        options: dict[str, Any] = {"socket_timeout": 2, "socket_connect_timeout": 2}
        given = {"username": self.sentinel_username, "password": self.sentinel_password}
        options |= {name: value for name, value in given.items() if value}
        return options | ({"ssl": True, **(self.tls or {})} if self.sentinel_tls else {})


def _parts(text: str) -> tuple[str, str, str, str]:
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError(f"holds a space or a line break: take it out, or {_ENCODE}")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if separator and "cluster" in scheme:
        raise ValueError(
            "is a Redis Cluster, which Celery cannot use as a broker: give one server (redis://) or sentinels (sentinel://)"
        )
    if not separator or scheme not in PORTS:
        raise ValueError("must be a Redis or Valkey address such as redis://127.0.0.1:6379/0")
    head, _, query = rest.partition("?")
    authority, _, path = head.partition("/")
    if "#" in text or "@" in path or "@" in query:
        raise ValueError(f"cannot be read: {_ENCODE}")
    return scheme, authority, path, query


def _hosts(text: str, scheme: str) -> tuple[Host, ...]:
    hosts = tuple(_host(part, PORTS[scheme]) for part in text.split(","))
    if len(hosts) > 1 and scheme != "sentinel":
        raise ValueError(
            "names several servers: only sentinels are several, as sentinel://a:26379,b:26379/0?master=NAME"
        )
    return hosts


def _host(text: str, port: int) -> Host:
    if not text and port == PORTS["redis"]:
        return "127.0.0.1", port  # redis:///0, as both clients read it
    found = re.fullmatch(r"(\[[0-9a-fA-F:.%]+\]|[^\[\]:]+)(?::(\d{1,5}))?", text)
    if found is None or (found[2] and not 0 < int(found[2]) < 65_536):
        raise ValueError("must name a host, and a port if it is another than usual, such as redis://127.0.0.1:6379/0")
    return unquote(found[1].strip("[]")), int(found[2] or port)


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _database(path: str) -> int:
    if path and not re.fullmatch(r"[0-9]{1,6}", path):
        raise ValueError("must end with the number of a database, such as /0")
    return int(path or 0)


def _words(query: str, scheme: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    allowed = {"redis": (), "rediss": _TLS, "sentinel": (*_SENTINEL, *_TLS)}[scheme]
    for name, value in pairs:
        if name not in allowed:
            raise ValueError(_unknown(name, scheme, allowed))
        if not value:
            raise ValueError(f"gives {name} no value")
    words = dict(pairs)
    if len(words) < len(pairs):
        raise ValueError("gives an option twice")
    return words


def _unknown(name: str, scheme: str, allowed: tuple[str, ...]) -> str:
    if name in _TLS or name == "ssl":
        return "asks for TLS with redis://: write rediss://"
    said = f"the option {name}" if re.fullmatch("[a-z_]{1,40}", name) else "an option"
    return f"has {said} that {scheme}:// does not take; it takes {', '.join(allowed) or 'none'}"


def _wants_tls(scheme: str, words: dict[str, str]) -> bool:
    if scheme != "sentinel":
        return scheme == "rediss"
    said = any(name in words for name in _TLS)
    wanted = _flag(words, "ssl", default=said)
    if not wanted and (said or _flag(words, "sentinel_ssl", default=False)):
        raise ValueError("has options of TLS without ssl=true: add that, or take them out")
    return wanted


def _flag(words: dict[str, str], name: str, *, default: bool) -> bool:
    given = words.get(name)
    if given is None:
        return default
    if given.lower() not in _FLAGS:
        raise ValueError(f"must give {name} as true or false")
    return _FLAGS[given.lower()]


def _tls(words: dict[str, str]) -> dict[str, Any]:
    required = words.get("ssl_cert_reqs", "required").lower()
    if required not in _CERTIFICATES:
        raise ValueError("must give ssl_cert_reqs as required (or CERT_REQUIRED), optional or none")
    tls: dict[str, Any] = {name: words[name] for name in (*_FILES, "ssl_password") if name in words}
    tls["ssl_cert_reqs"] = _CERTIFICATES[required]
    tls["ssl_check_hostname"] = tls["ssl_cert_reqs"] != "none" and _flag(words, "ssl_check_hostname", default=True)
    _try_files(tls)
    return tls


def _try_files(tls: dict[str, Any]) -> None:
    """Load what the clients will load: at the first connection a missing file would pass for a server that is away."""
    context = ssl.create_default_context()
    authorities, folder = tls.get("ssl_ca_certs"), tls.get("ssl_ca_path")
    certificate, key = tls.get("ssl_certfile"), tls.get("ssl_keyfile")
    if key and not certificate:
        raise ValueError("gives ssl_keyfile without ssl_certfile")
    try:
        if authorities or folder:
            context.load_verify_locations(authorities, folder)
    except (OSError, ValueError):
        raise ValueError("gives ssl_ca_certs or ssl_ca_path that holds no certificates this process can read") from None
    try:
        if certificate:
            context.load_cert_chain(certificate, key, lambda: tls.get("ssl_password", ""))
    except (OSError, ValueError):
        raise ValueError("gives ssl_certfile, ssl_keyfile and ssl_password that do not fit or cannot be read") from None
