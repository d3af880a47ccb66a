"""Cuts SMB clients off through smbcontrol(1)."""

from collections.abc import Sequence
from ipaddress import ip_address

from vigie.watch.actions import Outcome, Target
from vigie.watch.programs import run


class KillClient:
    """Actuator "kill-client": ends the connections of an address. It comes back, unless denied first."""

    kind = "kill-client"

    def __init__(self, smbcontrol: Sequence[str] = ("smbcontrol",)) -> None:
        self._smbcontrol = tuple(smbcontrol)

    def do(self, target: Target) -> Outcome:
        """End every connection from an address."""
        try:
            address = str(ip_address(str(target["address"])))
        except ValueError:
            return Outcome(False, "not cut: this is no address", False)
        if problem := run((*self._smbcontrol, "smbd", "kill-client-ip", address)):
            return Outcome(False, f"not cut: {problem}", False)
        return Outcome(False, "its connections were ended")

    def undo(self, target: Target) -> Outcome:
        """Nothing to undo: it connects again by itself."""
        del target
        return Outcome(False, "nothing to undo")


class CloseShare:
    """Actuator "close-share": ends every connection to a share. Clients connect again by themselves.

    It breaks off what is under way, and buys seconds where nobody can be named; what keeps a share closed is
    the administrator's to decide (`available = no` in smb.conf).
    """

    kind = "close-share"

    def __init__(self, smbcontrol: Sequence[str] = ("smbcontrol",)) -> None:
        self._smbcontrol = tuple(smbcontrol)

    def do(self, target: Target) -> Outcome:
        """End every connection to the share."""
        share = str(target["share"])
        if problem := run((*self._smbcontrol, "smbd", "close-share", share)):
            return Outcome(False, f"not closed: {problem}", False)
        return Outcome(False, "its connections were ended")

    def undo(self, target: Target) -> Outcome:
        """Nothing to undo: clients connect again by themselves."""
        del target
        return Outcome(False, "nothing to undo")
