"""The critic as a reward function of TRL: does an answer fit its image (FGAM section 3.3.3)."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agents.base import AgentContext, gather
from agents.command import load_agents_config
from agents.critic import critique
from backends.cache import open_cache
from backends.registry import Backends
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config
from schemas.trajectory import CriticInput

T = TypeVar("T")
Messages = Sequence[Mapping[str, Any]]
Log = Callable[[str, float], None]
Rewards = Callable[..., list[float | None]]

_JUDGED, _AT_LEAST = 200, 20  # the share of failures is that of the last 200, once there are 20


@contextmanager
def consistency(config: Path, rows: Sequence[Mapping[str, Any]]) -> Iterator[Rewards]:
    """Opens the critic that a grainwise config names, as a reward function of TRL.

    `rows` are what is trained on: each has a `question`, and a `caption` where the critic cannot
    see images. The budget is for one start of a training, shared equally by its processes. Raises
    ToolkitError (config, auth, prerequisite, capability, input) before anything is paid for.
    """
    settings = load_agents_config(config)
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("question"), str):
            hint = "the critic judges an answer by its question; give rl.jsonl of agents.rectifier"
            raise ToolkitError("input", f"{row.get('id') or f'row {number}'}: no question", hint)
    with _running_loop() as run:
        critic = _Critic(settings)

        def consistency(
            completions: Sequence[Messages],
            question: Sequence[str],
            image_paths: Sequence[Sequence[str]],
            caption: Sequence[str | None] | None = None,
            log_metric: Log | None = None,
            **_: Any,
        ) -> list[float | None]:
            texts = [str(messages[-1]["content"]) for messages in completions]
            captions = caption or [None] * len(texts)
            return run(critic.rewards(texts, question, image_paths, captions, log_metric))

        try:
            run(critic.check(rows))
            yield consistency
            if critic.judged:
                print(critic.summary(), flush=True)
        finally:
            run(critic.backends.close())
            critic.backends.cache.close()


class _Critic:
    """The critic's backend, and how often it failed."""

    def __init__(self, config: Config) -> None:
        self.config = config.run
        budget, processes = config.run.budget_usd, int(os.environ.get("WORLD_SIZE", "1"))
        usage = UsageMeter(budget / processes if budget else None)
        self.backends = Backends(config, open_cache(config.run.cache), usage)
        self.context = AgentContext(self.backends, config.run.seed)
        self.judged = self.failed = 0
        self._failures: deque[ToolkitError | None] = deque(maxlen=_JUDGED)

    async def check(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """The backend answers, and sees images unless all rows have captions.

        Raises ToolkitError, also for a row with neither.
        """
        for row in rows:
            if not (row.get("image_paths") or row.get("caption")):
                message = f"{row.get('id')}: neither an image nor a caption to judge answers by"
                hint = "give rows with one of them; `text_only: true` leaves the images out"
                raise ToolkitError("input", message, hint)
        described = all(row.get("caption") for row in rows)
        await self.backends.check(["critic"], {} if described else {"critic": {"vision"}})

    async def rewards(
        self,
        texts: Sequence[str],
        questions: Sequence[str],
        images: Sequence[Sequence[str]],
        captions: Sequence[str | None],
        log: Log | None,
    ) -> list[float | None]:
        """One reward a text, all asked at once; None where the critic failed.

        None is TRL's own neutral reward: its advantage is 0, and the other answers to the prompt
        are compared without it, also where they lie in other processes. Raises ToolkitError when
        the training must stop: no money, no key, too many failures.
        """
        rows = zip(texts, questions, images, captions, strict=True)
        with self.backends.usage.scope() as usage:
            rewards = await gather(self._reward(*row) for row in rows)
        if log:
            log("critic/failed", sum(reward is None for reward in rewards) / len(rewards))
            known = usage.cached + usage.coalesced
            log("critic/cached", known / max(usage.requests, 1))
        self._check_failures()
        return rewards

    async def _reward(
        self, text: str, question: str, images: Sequence[str], caption: str | None
    ) -> float | None:
        if not text.strip():
            return 0.0  # nothing said is nothing wrong, and must not be what is learnt
        self.judged += 1
        try:
            value = await self._consistency(text, question, images, caption)
        except ToolkitError as error:
            if error.exit_code is not None:
                raise
            self.failed += 1
            self._failures.append(error)
            return None
        self._failures.append(None)
        return value

    async def _consistency(
        self, text: str, question: str, images: Sequence[str], caption: str | None
    ) -> float:
        sees = self.context.capabilities("critic").vision
        try:
            item = CriticInput(
                question=question, response=text, caption=None if sees and images else caption
            )
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ToolkitError("bad_request", f"cannot be judged: {reason}") from error
        shown = [await self.context.image(path) for path in images] if sees else []
        return (await critique(item, tuple(shown), self.context)).consistency

    def _check_failures(self) -> None:
        errors = [error for error in self._failures if error]
        if len(self._failures) < _AT_LEAST:
            return
        allowed = self.config.max_error_rate
        if len(errors) > math.floor(allowed * len(self._failures)):
            raise ToolkitError(
                "error_rate",
                f"the critic failed at {len(errors)} of the last {len(self._failures)} answers; "
                f"the last time: {errors[-1].message}",
                "remove the cause and run the same command again, or raise `run: {max_error_rate: "
                "…}` in the critic's config",
            )

    def summary(self) -> str:
        """What was asked of the critic, in one line."""
        usage = self.backends.usage.total
        return (
            f"critic: {self.judged:,} answers judged, {self.failed:,} failed; {usage.calls:,} "
            f"calls, {usage.cached + usage.coalesced:,} known before, ${usage.cost_usd:.4f}"
        )


@contextmanager
def _running_loop() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """A function that awaits in a loop of its own thread.

    The loop runs on between two calls, so that a connection closed by the endpoint is noticed.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="critic", daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # an interrupt reaches this thread only
            raise

    try:
        yield run
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
