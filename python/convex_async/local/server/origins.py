"""Who may ask by which name, and which web pages are one's own.

Any web page can send requests to a server on the reader's machine, and with a name of its own that
it lets lead there (DNS rebinding) it can read the answers as well. On the loopback interface a
deployment answers to names that nobody can let lead elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

LOCALHOST = "localhost"
FOREIGN = "the admin key is not taken from a web page of another origin"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == LOCALHOST


class Origins:
    """The names of one deployment.

    Args:
        host: the address that it listens on, or a name of it.
        names: further names that it answers to.
    """

    def __init__(self, host: str, names: Iterable[str] = ()) -> None:
        self._is_guarded = is_loopback(host)
        self._names = {LOCALHOST, host.lower(), *(name.lower() for name in names)}

    def answers_to(self, host: str | None) -> bool:
        """Whether a request with this `Host` is answered."""
        if not self._is_guarded or host is None:
            return True
        return self._is_own(f"//{host}")

    def is_foreign(self, origin: str | None) -> bool:
        """Whether a request comes from a web page of another machine's, by its `Origin`."""
        return origin is not None and not self._is_own(origin, addresses=False)

    def _is_own(self, url: str, *, addresses: bool = True) -> bool:
        try:
            name = urlsplit(url).hostname or ""
        except ValueError:
            return False
        if name in self._names or is_loopback(name):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return addresses  # no name leads there: it was meant
