"""Private addresses are detected in every spelling, and public ones are allowed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from models.authorization.reach import PrivateAddress, is_named_private, is_private, public_addresses

INSIDE = (
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "::",
    "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "::127.0.0.1", "ff02::1",
    "fec0::1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "::5efe:7f00:1", "5f00::1", "4000::1", "3fff::1",
)  # fmt: skip
OUTSIDE = ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8")


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_private(address: str) -> None:
    assert is_private(address)
    assert is_named_private(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_public(address: str) -> None:
    assert not is_private(address)
    assert not is_named_private(address)


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST.", "a.localhost", "127.1", "0x7f.1", "2130706433", "017700000001"]
)
def test_a_name_may_say_that_it_is_private(name: str) -> None:
    assert is_named_private(name)


@pytest.mark.parametrize("name", ["a.example", "localhost.example", "127.0.0.1.example", ""])
def test_other_names_say_nothing(name: str) -> None:
    assert not is_named_private(name)


def test_one_private_address_of_a_name_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*addresses: str) -> None:
        found = [(0, 0, 0, "", (address, 443)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: found)

    answer(*OUTSIDE)
    assert public_addresses("bank.example", 443) == list(OUTSIDE)
    for inside in INSIDE:
        answer("8.8.8.8", inside)
        with pytest.raises(PrivateAddress, match="is a private address"):
            public_addresses("bank.example", 443)


@pytest.mark.parametrize("host", ["127.1", "2130706433"])
def test_the_resolver_tells_what_an_address_stands_for(host: str, **_more: Any) -> None:
    with pytest.raises(PrivateAddress):
        public_addresses(host, 80)
