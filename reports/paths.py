"""Where reports go: one safe folder per run, never outside the report folder."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

COMPLAINTS = pytest.StashKey[list[str]]()

_LONGEST = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def safe_folder(run: str) -> str:
    """A folder name for a run id, valid on every system and different for different ids.

    ASCII letters, digits, ``.``, ``-`` and ``_`` are kept. Where anything had to be changed, eight hex digits of
    the id's SHA-256 follow.
    """
    name = _UNSAFE.sub("_", run)
    if name.startswith(".") or _RESERVED.fullmatch(name):
        name = "_" + name
    name = name.rstrip(".")
    if name == run and 0 < len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[: _LONGEST - 9] or 'run'}-{digest}"


def report_dir(config: pytest.Config) -> Path:
    """``--report-dir`` as seen from the folder pytest was started in, or ``reports/out`` of the project."""
    given = config.getoption("report_dir", None)
    return config.invocation_params.dir / given if given else config.rootpath / "reports" / "out"


def verdict_path(config: pytest.Config, run: str) -> Path:
    """Where the verdict.json of a run lies."""
    return report_dir(config) / safe_folder(run) / "verdict.json"


def writable(config: pytest.Config, path: Path) -> bool:
    """Whether `path` may be written: its folder (made here) lies in the report folder, links followed.

    If it may not, the terminal report says so.
    """
    home = os.path.realpath(report_dir(config))
    if not Path(os.path.realpath(path)).is_relative_to(home):
        complain(config, f"{path} was not written: a link leads it out of the report folder {home}; remove the link")
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        complain(config, f"{path} was not written: {error.strerror or error}; choose another folder with --report-dir")
        return False
    return True


def replace(path: Path, text: str) -> None:
    """Write whole or not at all, with the rights of the file that was there; a link is replaced, not followed.

    Raises:
        OSError: it cannot be written, or what is there is no file, such as a device.
    """
    if os.path.lexists(path) and not path.is_symlink() and not path.is_file():
        raise OSError(errno.EINVAL, "there is something that is no regular file")
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with new.open("x", encoding="utf-8", newline="") as file:
            if path.is_file() and not path.is_symlink():
                shutil.copymode(path, new)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a loss of power may leave the new name and no text
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def remove(config: pytest.Config, path: Path) -> None:
    """Take a file of an earlier session away; if it stays, the terminal report says so."""
    try:
        if path.is_file() and writable(config, path):
            path.unlink()
    except OSError as error:
        complain(config, f"{path} of an earlier session could not be removed: {error.strerror or error}")


def complain(config: pytest.Config, sentence: str) -> None:
    """Have the terminal report end with `sentence`."""
    config.stash.setdefault(COMPLAINTS, []).append(sentence)


def shown(config: pytest.Config, path: Path) -> str:
    """`path` as short as it is from where pytest was started."""
    start = config.invocation_params.dir
    return str(path.relative_to(start)) if path.is_relative_to(start) else str(path)
