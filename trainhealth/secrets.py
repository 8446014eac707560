"""What a run's config holds that people should not read: reports are sent around."""

from __future__ import annotations

import re

NOT_SHOWN = "(not shown)"

_NAME = re.compile(
    r"secret|passw|credential|private_?key|api_?key|access_?key|(?:^|[._-])(?:auth|hf|access|api|bearer)?_?token$",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_|sk-|gh[pousr]_|github_pat_|glpat-|xox[abps]-|xaat-|xapt-|nvapi-|wandb_v1_|AKIA)[A-Za-z0-9_-]{12,}"
    r"|://[^/\s@:]*:[^/\s@]+@"  # a password in a URL
    r"|\bBearer\s+\S{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_HEX = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{40}(?![0-9a-fA-F])")
"""The form of a W&B key, and that of a commit."""
_COMMIT = re.compile(r"commit|revision|sha|git|hash", re.IGNORECASE)


def is_secret(name: str, value: object) -> bool:
    """Whether the config value of this name is one by its name, or looks like a key, a token or a password."""
    if _NAME.search(name):
        return True
    told = str(value)
    return bool(_VALUE.search(told)) or bool(_HEX.search(told) and not _COMMIT.search(name))
