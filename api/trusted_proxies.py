"""Proxies that uvicorn trusts (`--forwarded-allow-ips`): each carries the connections of many clients."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network


class Trusted:
    """The addresses of proxies, which carry many clients each."""

    def __init__(self, given: Iterable[str]) -> None:
        self._all = "*" in given
        self._networks = [ip_network(one, strict=False) for one in given if _is_network(one)]

    def __contains__(self, peer: object) -> bool:
        if peer is None or self._all:
            return True
        address = ip_address(str(peer))
        return any(address in network for network in self._networks)


def trusted(given: str | Iterable[str]) -> Trusted:
    """Return the proxies that uvicorn's `--forwarded-allow-ips` names."""
    return Trusted([one.strip() for one in given.split(",")] if isinstance(given, str) else list(given))


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
