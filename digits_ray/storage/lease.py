"""One driver at a time in a run directory on storage that has no locks: s3:// and gs://.

The owner renews a small file every few seconds. Who finds one watches it: if it changes, its owner is alive; if it does
not change for long enough, its owner is gone. No clocks are compared.

Object stores offer no compare-and-swap through pyarrow, so two things remain possible. Drivers that start in the same
moment may all begin: at the next renewal all but the last to write find that out and stop. A driver that was frozen or
cut off from the storage for longer than the lease, and replaced, may write until its next renewal. Neither harms the
run: files are whole, unfinished members lie apart by attempt, and the same member is the same whoever trains it.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from digits_ray.errors import RunError, UserError
from digits_ray.storage import remote
from digits_ray.storage.store import Store

FILE = ".lease"
RENEW_SECONDS = 5.0
EXPIRY_SECONDS = 40.0  # some failed renewals are forgiven
LOOK_SECONDS = 1.0
NO_PATIENCE = 0.0  # seconds, for storage that fails: the next renewal is the next try

Teller = Callable[[str], None]


class Lease:
    """This process's hold on a run directory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._self = {"owner": secrets.token_hex(16), "host": socket.gethostname(), "pid": os.getpid(), "since": since}
        self._lost_to: str | None = None
        self._ended = threading.Event()
        self._renewal = threading.Thread(target=self._keep_renewing, name="lease", daemon=True)

    def take(self, tell: Teller) -> None:
        """Takes the directory, waiting for the lease of a driver that was killed to run out.

        Args:
            tell: Told in one line what is waited for.

        Raises:
            UserError: another process is writing there.
        """
        found = _content(self.store)
        if found:
            tell(f"{_who(found)} may still be writing to {self.store.uri}: looking for up to {EXPIRY_SECONDS:.0f} s.")
            self._outlast(found)
        self._write(0, remote.PATIENCE_SECONDS)
        self._renewal.start()

    def check(self) -> None:
        """Raises RunError when another driver has taken the directory over."""
        if self._lost_to:
            raise RunError(f"{self.store.uri}: {self._lost_to} has taken over and goes on with this run.")

    def give_back(self) -> None:
        """Lets another driver take the directory at once."""
        self._ended.set()
        self._renewal.join()
        if self._lost_to:
            return
        try:
            self.store.delete(FILE, NO_PATIENCE)
        except (UserError, RunError):
            return  # it runs out by itself

    def _outlast(self, found: bytes) -> None:
        deadline = time.monotonic() + EXPIRY_SECONDS
        while time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            now = _content(self.store)
            if now is None:
                return
            if now != found:
                raise UserError(
                    f"{self.store.uri}: another digits-ray run is writing here ({_who(now)}). Wait for it, or stop it;"
                    f" once it is killed, the same command goes on within {EXPIRY_SECONDS:.0f} s."
                )

    def _keep_renewing(self) -> None:
        number = 0
        while not self._ended.wait(RENEW_SECONDS) and not self._lost_to:
            number += 1
            try:
                self._renew(number)
            except (UserError, RunError):
                continue  # the storage fails; what the run itself writes tells of it

    def _renew(self, number: int) -> None:
        found = _content(self.store, NO_PATIENCE)
        if found and json.loads(found)["owner"] != self._self["owner"]:
            self._lost_to = _who(found)
        else:
            self._write(number, NO_PATIENCE)

    def _write(self, number: int, patience: float) -> None:
        self.store.write(FILE, json.dumps({**self._self, "renewals": number}).encode(), patience)


def _content(store: Store, patience: float = remote.PATIENCE_SECONDS) -> bytes | None:
    try:
        return store.read(FILE, patience)
    except FileNotFoundError:
        return None


def _who(content: bytes) -> str:
    owner = json.loads(content)
    return f"process {owner['pid']} on {owner['host']}, since {owner['since']}"
