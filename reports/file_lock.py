"""One process at a time may read a file, change it and put it back; others wait."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

PATIENCE_S = 60.0
"""How long a process waits for its turn, which takes milliseconds."""


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """While inside, no other process that asks for the same is with a file of the folder of `path`.

    It is the folder that is locked (flock): the file itself is replaced by a new one, and a lock file beside it would
    stay there. Where there are no such locks (Windows, some network drives) nobody waits.

    Raises:
        TimeoutError: others had it for a minute.
    """
    folder = os.open(path.parent, os.O_RDONLY) if fcntl is not None else -1
    try:
        if folder >= 0:
            _take(folder)
        yield
    finally:
        if folder >= 0:
            os.close(folder)  # which gives the lock back, as does the end of the process


def _take(folder: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError(
                    f"another process has had its folder locked for {PATIENCE_S:.0f} s; end it and run this again"
                ) from None
            time.sleep(0.02)
        except OSError:  # this file system knows no locks
            return
