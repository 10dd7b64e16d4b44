"""One driver at a time in a run directory on storage that has no locks: s3:// and gs://.

The owner renews a small file every few seconds. Another driver watches the file: if it changes, its owner is alive; if
it does not change for long enough, its owner is gone. No clocks are compared.

Object stores offer no compare-and-swap through pyarrow, so two things remain possible. Drivers that start in the same
moment may all begin: at the next renewal all but the last to write find that out and stop. A driver that was frozen or
cut off from the storage for longer than the lease, and replaced, may write until its next renewal. Neither harms the
run: files are complete, unfinished members lie apart by attempt, and the same member is the same whoever trains it.
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
from digits_ray.storage import layout, remote
from digits_ray.storage.store import Store

RENEW_SECONDS = 5.0
EXPIRY_SECONDS = 40.0  # some failed renewals are forgiven
POLL_SECONDS = 1.0
NO_RETRY = 0.0  # seconds, for storage that fails: the next renewal is the next try

Notify = Callable[[str], None]  # called with one line on what is waited for


class Lease:
    """This process's lease on a run directory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._owner = {"owner": secrets.token_hex(16), "host": socket.gethostname(), "pid": os.getpid(), "since": since}
        self._lost_to: str | None = None
        self._released = threading.Event()
        self._renewal = threading.Thread(target=self._renew_until_released, name="lease", daemon=True)

    def acquire(self, notify: Notify) -> None:
        """Takes the directory, waiting for the lease of a driver that was killed to run out.

        Args:
            notify: Called with one line on what is waited for.

        Raises:
            UserError: another process is writing there.
        """
        lease = self.store.read_or_none(layout.LEASE)
        if lease:
            owner = _owner_text(lease)
            notify(f"{owner} may still be writing to {self.store.uri}: looking for up to {EXPIRY_SECONDS:.0f} s.")
            self._wait_for_expiry(lease)
        self._write(0, remote.RETRY_SECONDS)
        self._renewal.start()

    def check(self) -> None:
        """Raises RunError when another driver has taken the directory over."""
        if self._lost_to:
            raise RunError(f"{self.store.uri}: {self._lost_to} has taken over and goes on with this run.")

    def release(self) -> None:
        """Lets another driver take the directory at once."""
        self._released.set()
        self._renewal.join()
        if self._lost_to:
            return
        try:
            self.store.delete(layout.LEASE, NO_RETRY)
        except (UserError, RunError):
            return  # it runs out by itself

    def _wait_for_expiry(self, lease: bytes) -> None:
        deadline = time.monotonic() + EXPIRY_SECONDS
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            now = self.store.read_or_none(layout.LEASE)
            if now is None:
                return
            if now != lease:
                raise UserError(
                    f"{self.store.uri}: another digits-ray run is writing here ({_owner_text(now)})."
                    " Wait for it, or stop it; once it is killed, the same command goes on within"
                    f" {EXPIRY_SECONDS:.0f} s."
                )

    def _renew_until_released(self) -> None:
        number = 0
        while not self._released.wait(RENEW_SECONDS) and not self._lost_to:
            number += 1
            try:
                self._renew(number)
            except (UserError, RunError):
                continue  # the storage fails; a write of the run itself will report it

    def _renew(self, number: int) -> None:
        lease = self.store.read_or_none(layout.LEASE, NO_RETRY)
        if lease and json.loads(lease)["owner"] != self._owner["owner"]:
            self._lost_to = _owner_text(lease)
        else:
            self._write(number, NO_RETRY)

    def _write(self, number: int, retry_seconds: float) -> None:
        self.store.write(layout.LEASE, json.dumps({**self._owner, "renewals": number}).encode(), retry_seconds)


def _owner_text(lease: bytes) -> str:
    owner = json.loads(lease)
    return f"process {owner['pid']} on {owner['host']}, since {owner['since']}"
