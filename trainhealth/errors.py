"""What can go wrong before anything is judged. Every message is one paragraph written for a person."""

from __future__ import annotations


class TrainhealthError(Exception):
    """Base of all errors that a user can cause or mend; its text is shown without a traceback."""


class UsageError(TrainhealthError):
    """An option, a run id or a thresholds file that cannot be used as given (exit status 4)."""


class ThresholdsError(UsageError):
    """A thresholds.yaml that cannot be used; the text names file and line."""


class RunNotFound(UsageError):
    """A run id that matches no run, or more than one."""


class DataError(TrainhealthError):
    """Data that exists but cannot be trusted or fetched: damage, network, partial history (exit status 11)."""
