"""Completions kept in a Redis or Valkey server: one cache for every machine of a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from backends.base import Completion
from runtime.errors import ToolkitError

PASSWORD_VARIABLE = "GRAINWISE_REDIS_PASSWORD"
"""Environment variable with the password, where the URL has none."""
_PREFIX = "grainwise:completion:"
_TIMEOUT_S = 10.0
_TRIES, _FIRST_PAUSE_S, _LONGEST_PAUSE_S = 6, 0.1, 2.0  # about five seconds of pauses


class RedisCache:
    """Completions by key at a `redis://` or `rediss://` (TLS) URL.

    Values are JSON, and an entry that cannot be read counts as absent. A lost connection is opened
    again, with pauses. Raises ToolkitError (config) for a URL that is none, and (prerequisite)
    when redis-py is missing or the server does not answer.
    """

    def __init__(self, url: str) -> None:
        self._place = _shown(url)
        try:
            from redis import Redis, RedisError
            from redis.backoff import ExponentialBackoff, NoBackoff
            from redis.retry import Retry
        except ModuleNotFoundError as error:
            message = f"the cache {self._place} needs the package redis"
            raise ToolkitError("prerequisite", message, 'pip install "grainwise[redis]"') from error
        self._error: type[Exception] = RedisError
        password = os.environ.get(PASSWORD_VARIABLE)
        try:
            self._client = Redis.from_url(
                url,
                **({"password": password} if password else {}),
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            )
            self._ask(self._client.ping)
        except (ValueError, TypeError) as error:
            raise _no_cache_url(f"{self._place}: {error}") from None
        pauses = ExponentialBackoff(_LONGEST_PAUSE_S, _FIRST_PAUSE_S)
        # A server that is down at the start is said at once; later there is work to lose.
        self._client.set_retry(Retry(pauses, _TRIES))

    def get(self, key: str) -> Completion | None:
        """The completion stored under `key`, or None. Raises ToolkitError (prerequisite)."""
        try:
            text = self._ask(self._client.get, _PREFIX + key)
            return None if text is None else Completion.model_validate_json(text)
        except (ValueError, TypeError):  # pydantic's ValidationError is a ValueError
            return None

    def put(self, key: str, completion: Completion) -> None:
        """Store `completion`; the server has it when this returns.

        Raises ToolkitError (prerequisite).
        """
        text = completion.model_dump_json(exclude_defaults=True)
        self._ask(self._client.set, _PREFIX + key, text)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, command: Callable[..., Any], *arguments: str) -> Any:
        try:
            return command(*arguments)
        except self._error as error:
            if str(error).startswith("WRONGTYPE"):
                return None  # somebody else's value under our key: no answer of ours
            raise ToolkitError(
                "prerequisite",
                f"the cache {self._place} cannot be used: {error}",
                "start that server, or name another cache as `run: {cache: …}`; then run the same "
                f"command again. A password may stand in {PASSWORD_VARIABLE}",
            ) from error


def _shown(url: str) -> str:
    """The URL as messages may show it: without user and password.

    Raises ToolkitError (config) for one with a password where it could not be recognised as one.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Its own message would show part of a password with an unquoted / in it.
        raise _no_cache_url("the part after :// is not USER:PASSWORD@HOST:PORT") from None
    rest = parts.path + parts.query + parts.fragment
    if "@" in rest or "password" in rest.lower():
        message = "run.cache: the password stands where it would not be kept secret"
        hint = f"put it into {PASSWORD_VARIABLE}, or write / as %2F and @ as %40"
        raise ToolkitError("config", message, hint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _no_cache_url(reason: str) -> ToolkitError:
    hint = "write `run: {cache: redis://host:6379/0}`, rediss:// for TLS, or a directory"
    return ToolkitError("config", f"run.cache: not the URL of a Redis server: {reason}", hint)
