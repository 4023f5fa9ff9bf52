"""One error type: what went wrong, what to do about it, and whether another try can help."""

from __future__ import annotations

from typing import Literal

ErrorKind = Literal[
    # abort the run
    "config", "prerequisite", "auth", "capability", "budget", "input", "error_rate",
    # retry, then record
    "rate_limited", "timeout", "connection", "server",
    # record at once
    "truncated", "refused", "context_too_long", "bad_request", "image", "revision",
    # one correction turn, then record
    "malformed", "schema", "semantic",
]  # fmt: skip

EXIT_OK, EXIT_INPUT, EXIT_PREREQUISITE, EXIT_BUDGET, EXIT_ERROR_RATE = 0, 2, 3, 4, 5
EXIT_INTERRUPTED = 130
EXIT_PENDING = 75
"""EX_TEMPFAIL of sysexits.h: batches are under way, the same command goes on later."""

_ABORTING = {
    "config": EXIT_INPUT,
    "input": EXIT_INPUT,
    "prerequisite": EXIT_PREREQUISITE,
    "auth": EXIT_PREREQUISITE,
    "capability": EXIT_PREREQUISITE,
    "budget": EXIT_BUDGET,
    "error_rate": EXIT_ERROR_RATE,
}
_RETRYABLE = {"rate_limited", "timeout", "connection", "server"}
_CORRECTABLE = {"malformed", "schema", "semantic"}


class PendingError(Exception):
    """The answer will come with a batch; the record is taken up again by a later start."""


class ToolkitError(Exception):
    """A failure with its kind, a plain message and a hint that names the cure.

    `retry_after` is the number of seconds the provider asked for, if it did.
    """

    def __init__(
        self, kind: ErrorKind, message: str, hint: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message
        self.hint = hint
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    @property
    def retryable(self) -> bool:
        """The same call may succeed later."""
        return self.kind in _RETRYABLE

    @property
    def correctable(self) -> bool:
        """The model may do better when it is told what was wrong with its answer."""
        return self.kind in _CORRECTABLE

    @property
    def exit_code(self) -> int | None:
        """Process exit code when this error ends the whole run; None if only its record."""
        return _ABORTING.get(self.kind)
