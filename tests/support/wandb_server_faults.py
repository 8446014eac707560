"""What can go wrong between the wandb client and its server, each as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """An HTTP status and no data; `retry_after` in seconds becomes the header of a 429."""

    code: int
    retry_after: int | None = None


@dataclass(frozen=True)
class Hang:
    """No answer for `seconds` (or until the server ends), then a dropped connection."""

    seconds: float = 3600.0


@dataclass(frozen=True)
class Drop:
    """The connection is closed without an answer."""


@dataclass(frozen=True)
class Cut:
    """The true answer, cut off after a share of its body, though its full length was announced."""

    share: float = 0.5


@dataclass(frozen=True)
class HtmlPage:
    """A login page of some proxy, with status 200."""


@dataclass(frozen=True)
class Errors:
    """A GraphQL answer that consists of an error, with status 200."""

    message: str = "internal error"


@dataclass(frozen=True)
class Sampled:
    """No more than `rows` rows in a history page, as if the server had thinned it out."""

    rows: int


Mishap = Status | Hang | Drop | Cut | HtmlPage | Errors | Sampled


@dataclass(frozen=True)
class Fault:
    """`mishap` befalls requests for `operation`: `times` of them (None: all), after `after` were answered well.

    `operation` is a GraphQL operation name, "parquet" for exported history files, "file" for other files of a run, or
    "*" for every request; with `run_id` only requests for that run are meant.
    """

    operation: str
    mishap: Mishap
    after: int = 0
    times: int | None = None
    run_id: str | None = None
