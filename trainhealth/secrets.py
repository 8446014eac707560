"""What a run's config holds that people should not read: reports are sent around."""

from __future__ import annotations

import re

NOT_SHOWN = "(not shown)"

_NAME = re.compile(
    r"secret|passw|passphrase|credential|webhook|(?:private|api|access|secret|shared|openai|wandb|hf)[_-]?key"
    r"|(?<![a-z])pwd(?![a-z])|(?:^|[._-])(?:(?:auth|hf|access|api|bearer|refresh|session|github|wandb)[_-]?)?token$",
    re.IGNORECASE,
)
_OF_TEXT = re.compile(
    r"(?:^|[._-])(?:eos|bos|pad|unk|mask|sep|cls|image|video|audio|tool|stop|max|min|num|per|new|first|last)_token$",
    re.IGNORECASE,
)
"""Tokens that a tokenizer knows."""
_ASSIGNED = re.compile(r"""([A-Za-z][\w.-]*)["']?\s*(?:=|:\s|["'],\s)""")
"""Names within a value: ``--password=…``, ``API_KEY=…``, ``'api_key': …``, ``'name': 'API_KEY', …``."""
_VALUE = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_|sk-|[sr]k_live_|gh[pousr]_|github_pat_|glpat-|xox[abps]-|xaat-|xapt-|nvapi-|wandb_v1_|AKIA|AIza)"
    r"[A-Za-z0-9_-]{12,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"  # a JSON Web Token
    r"|://[^/\s@:]*:[^/\s@]+@"  # a password in a URL
    r"|hooks\.slack\.com/|\b(?:Bearer|Basic)\s+[\w+/=.-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_HEX = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{40}(?![0-9a-fA-F])")
"""The form of a W&B key, and that of a commit."""
_COMMIT = re.compile(r"(?:^|[._-])(?:commit|revision|rev|sha1?|git|hash)(?:$|[._-])", re.IGNORECASE)


def is_secret(name: str, value: object) -> bool:
    """Whether the config value of this name is one by its name, or holds what looks like a key, token or password."""
    if _tells(name):
        return True
    told = str(value)
    return (
        bool(_VALUE.search(told))
        or bool(_HEX.search(told) and not _COMMIT.search(name))
        or any(_tells(found[1]) for found in _ASSIGNED.finditer(told))
    )


def _tells(name: str) -> bool:
    return bool(_NAME.search(name)) and not _OF_TEXT.search(name)
