"""Which addresses may be contacted on a user's behalf, and looking a name up to find out.

A user's URL must not reach what only this machine's network can reach. `ipaddress.is_global` is
wrong about several addresses up to Python 3.13.0, so the table is here, from IANA's registries of
special-purpose addresses.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from notifier import conf
from notifier.deadlines import Address, Deadline
from notifier.errors import PermanentError, Reason
from notifier.lookups import look_up

PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is assigned; what maps, translates or tunnels IPv4 from outside it stays outside."""
SPECIAL = tuple(
    map(
        ip_network,
        # IPv4; 168.63.129.16 looks public, and is the host under a virtual machine on Azure
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("168.63.129.16/32", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"),
            *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            # IPv6 inside 2000::/3: Teredo and other protocols, documentation, 6to4
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        ),
    )
)
REFUSED = "this address may not be contacted"
"""What is said of a refused address and of a refused port alike: nothing to learn from."""

PORTS = {"http": 80, "https": 443}

Network = IPv4Network | IPv6Network


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Look a host up, once, and return the addresses to connect to.

    Raises `PermanentError` where any of them may not be contacted, `OSError` where there are none.
    Connect to what is returned: another look-up could answer something else.
    """
    found = look_up(_without_names_for_loopback(host), port, deadline)
    if not all(_may_be_contacted(address) for address in found):
        raise PermanentError(Reason.BLOCKED_ADDRESS, REFUSED)
    return found


def check_port(port: int) -> None:
    """Raise `PermanentError` unless a user's URL may lead to a port."""
    if port not in {*PORTS.values(), *conf.HTTP_ALLOWED_PORTS()}:
        raise PermanentError(Reason.BLOCKED_ADDRESS, REFUSED)


def refuse_literal(host: str) -> None:
    """Raise `PermanentError` where a host is an address, in any spelling, that is refused."""
    try:
        found = socket.getaddrinfo(
            _without_names_for_loopback(host), None, flags=socket.AI_NUMERICHOST
        )
    except (OSError, UnicodeError):
        return  # a name
    if not all(_may_be_contacted(Address(family, sockaddr)) for family, *_, sockaddr in found):
        raise PermanentError(Reason.BLOCKED_ADDRESS, REFUSED)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet."""
    if isinstance(address, IPv6Address) and address not in PUBLIC_V6:
        return False
    return not any(address in network for network in SPECIAL)


def _may_be_contacted(address: Address) -> bool:
    checked = ip_address(address.sockaddr[0].partition("%")[0])
    allowed = _networks(tuple(conf.HTTP_ALLOWED_NETWORKS()))
    return is_public(checked) or any(checked in network for network in allowed)


@functools.cache
def _networks(allowed: Sequence[str]) -> tuple[Network, ...]:
    return tuple(map(ip_network, allowed))


def _without_names_for_loopback(host: str) -> str:
    """Return 127.0.0.1 for `localhost` and what is below it (RFC 6761): resolvers disagree."""
    name = f".{host.rstrip('.').lower()}"
    return "127.0.0.1" if name.endswith(".localhost") else host
