"""Hosts that the server calls on behalf of an operator: those of the public internet, unless a setting allows others.

A host is judged twice. Its name is judged when it is configured, so that the error shows where the mistake is. Its addresses
are judged when it is called: by then the name may resolve to anything, and the resolver reads every notation of an address.
"""

import ipaddress
import socket
from collections.abc import Sequence

SETTING = "TAXIWAY_PRIVATE_PROVIDERS"
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
"""Of IPv6 only these are of the public internet; what Python calls global has gaps, which differ between its versions."""
_DOCUMENTED = ipaddress.IPv6Network("3fff::/20")


class PrivateAddress(Exception):
    """A host that the server does not call has an address inside: of this machine, or of a network around it."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is a private address, which only {SETTING} allows")


def is_private(text: str) -> bool:
    """Return whether an IP address is none of the public internet, also where it is wrapped into one of IPv6."""
    address: _Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or _embedded(address) or address
    if isinstance(address, ipaddress.IPv6Address) and (address not in _GIVEN_OUT or address in _DOCUMENTED):
        return True
    return not address.is_global or address.is_multicast


def is_named_private(host: str) -> bool:
    """Return whether a host says by itself that it is private: an address in whatever notation, or this machine's name."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return is_private(name)
    except ValueError:
        pass
    try:
        return is_private(socket.inet_ntoa(socket.inet_aton(name)))  # 127.1, 0x7f.1 and 2130706433 are addresses, too
    except (OSError, UnicodeError):
        return False


def public_addresses(host: str, port: int) -> Sequence[str]:
    """Resolve a host. Raises PrivateAddress when one of its addresses is private, OSError when it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    if any(is_private(address) for address in addresses):
        raise PrivateAddress(host)
    return addresses


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    inside = address in _NAT64 or address in _COMPATIBLE
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if inside else None
