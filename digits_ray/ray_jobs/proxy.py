"""Proxies that the environment names: `requests`, and with it Ray's client, sends all through them."""

import ipaddress
import os
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Proxy:
    """A proxy through which an address is reached."""

    variable: str  # of the environment, that names it
    url: str
    host: str  # that is reached through it

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"{self.variable}={parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()}"  # no password

    @property
    def cure(self) -> str:
        """Returns how to do without it."""
        return f"Set no_proxy={self.host} to go past it."


def proxy_for(address: str) -> Proxy | None:
    """Returns the proxy that `requests` uses for an address; None where it uses none, as for this machine.

    Args:
        address: A URL. Where it is one of this machine, the environment says so from now on.
    """
    from requests.utils import get_environ_proxies, select_proxy

    host = urlsplit(address).hostname or ""
    url = select_proxy(address, get_environ_proxies(address, no_proxy=None))
    if not url:
        return None
    if is_loopback(host):
        excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        os.environ["no_proxy"] = f"{excluded},{host}" if excluded else host
        return None
    names = (f"{urlsplit(address).scheme}_proxy", "all_proxy")
    variable = next((name for name in os.environ if name.lower() in names and os.environ[name] == url), names[0])
    return Proxy(variable, url, host)


def is_loopback(host: str) -> bool:
    """Returns whether a name or an address leads to this machine alone."""
    try:
        found = {str(information[4][0]) for information in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)
