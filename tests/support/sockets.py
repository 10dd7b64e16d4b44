"""Which addresses processes listen on, as Linux tells."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"  # the state in /proc/net/tcp

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def listening(pid: int) -> list[Address]:
    """The address of each TCP socket that a process listens on."""
    inodes = set(_socket_inodes(pid))
    return [address for inode, address in _listeners() if inode in inodes]


def is_loopback(address: Address) -> bool:
    """Tells whether an address, IPv4 within IPv6 included, can be reached from this machine alone."""
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _socket_inodes(pid: int) -> Iterator[str]:
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = str(link.readlink())
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]
    except OSError:  # the process, or the file, is gone
        return


def _listeners() -> Iterator[tuple[str, Address]]:
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                yield fields[9], _address(fields[1].partition(":")[0])


def _address(text: str) -> Address:
    """Parses hexadecimal words of 32 bits, each in the byte order of the machine."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))
