"""Denies an SMB client with nftables: addresses in a set of our own, each with a timeout of the kernel's.

The table `inet vigie` is ours alone: a rule set that is there already is neither read nor changed, and
`nft delete table inet vigie` undoes all of it by hand. Its chain hooks in before the usual filters, and drops
what comes from an address of the set to the ports of SMB, in connections that are open already too. The
kernel forgets an address by itself when its time is over, whatever becomes of Vigie.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from vigie.watch.actions import Outcome, Target
from vigie.watch.programs import run

PORTS = (139, 445)
"""Where Samba listens."""

Network = IPv4Network | IPv6Network


class DenyAddress:
    """Actuator "deny-address".

    Args:
        seconds: after which the kernel lets the address in again.
        ports: of the file server.
        never: addresses and networks that are not denied.
        nft: the program, and words before it.

    Raises:
        ValueError: `never` holds what is no network.
    """

    kind = "deny-address"

    def __init__(
        self,
        seconds: float,
        ports: Sequence[int] = PORTS,
        never: Sequence[str] = (),
        nft: Sequence[str] = ("nft",),
    ) -> None:
        self._seconds = max(1, int(seconds))
        self._ports = ", ".join(map(str, sorted(set(ports))))
        self._never = tuple(ip_network(text, strict=False) for text in never)
        self._nft = tuple(nft)

    def do(self, target: Target) -> Outcome:
        """Let nothing more in from an address."""
        try:
            address = ip_address(str(target["address"]))
        except ValueError:
            return Outcome(False, "not denied: this is no address", False)
        if reason := self.spared(address):
            return Outcome(False, f"not denied: {reason}", False)
        bare = _bare(address)
        # Adding an element again does not renew its timeout: it goes first, and so must be there.
        element = f"{_set_of(address)} {{ {bare} timeout {self._seconds}s }}"
        words = (
            f"{self._ground()}add element inet vigie {element}\n"
            f"delete element inet vigie {_set_of(address)} {{ {bare} }}\n"
            f"add element inet vigie {element}\n"
        )
        if problem := run((*self._nft, "-f", "-"), words):
            return Outcome(False, f"not denied: {problem}", False)
        return Outcome(True, "denied")

    def undo(self, target: Target) -> Outcome:
        """Let it in again."""
        try:
            address = ip_address(str(target["address"]))
        except ValueError:
            return Outcome(False, "this is no address", False)
        # In one go, and no error where the kernel has forgotten it already.
        element = f"{_set_of(address)} {{ {_bare(address)} }}"
        words = f"{self._ground()}add element inet vigie {element}\ndelete element inet vigie {element}\n"
        if problem := run((*self._nft, "-f", "-"), words):
            return Outcome(True, f"still denied: {problem}", False)
        return Outcome(False, "let in again")

    def spared(self, address: IPv4Address | IPv6Address) -> str:
        """Why an address may not be denied, or nothing."""
        for network in self._never:
            if address in network:
                return f"{network} is never cut off (settings)"
        if address.is_unspecified or address.is_multicast:
            return "nobody has this address"
        return ""

    def _ground(self) -> str:
        """What must be there; `add` of what is there changes nothing, and the chain is written afresh."""
        sets = "".join(
            f"add set inet vigie {name} {{ type {kind}; flags timeout; }}\n"
            for name, kind in (("denied4", "ipv4_addr"), ("denied6", "ipv6_addr"))
        )
        rules = "".join(
            f"add rule inet vigie input {family} saddr @{name} tcp dport {{ {self._ports} }} drop\n"
            for family, name in (("ip", "denied4"), ("ip6", "denied6"))
        )
        chain = "add chain inet vigie input { type filter hook input priority -10; policy accept; }\n"
        return f"add table inet vigie\n{sets}{chain}flush chain inet vigie input\n{rules}"


def _set_of(address: IPv4Address | IPv6Address) -> str:
    return f"denied{address.version}"


def _bare(address: IPv4Address | IPv6Address) -> str:
    """Without the zone of a link-local address, which nftables has no word for."""
    return str(address).partition("%")[0]
