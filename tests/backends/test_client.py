"""The client's promises, on a scripted backend."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backends.base import Completion, TokenUsage
from backends.breaker import Breaker
from backends.cache import ResponseCache
from backends.client import ModelClient, Parsed
from backends.fake import FakeBackend, Script
from backends.limits import Limiter
from backends.usage import Usage, UsageMeter
from runtime.errors import ToolkitError
from schemas.config import FakeConfig
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request

GOOD = {"decision": "is_a"}
BAD = {"decision": "perhaps"}


class Setup:
    """A client whose waits are recorded instead of waited."""

    def __init__(self, cache: ResponseCache, script: Script, **options: Any) -> None:
        self.waits: list[float] = []
        self.now = 0.0
        self.usage = UsageMeter(budget_usd=options.pop("budget_usd", None))
        self.backend = FakeBackend(script, delay_s=options.pop("delay_s", 0.0))
        config = FakeConfig(driver="fake", **options)
        limiter = Limiter(config.max_parallel, config.rpm, config.tpm, lambda: 0.0, self.wait)
        limiter = limiter if config.rpm or config.tpm else Limiter(config.max_parallel)
        breaker = Breaker("fake", config.dead_after_s, lambda: self.now, self.wait)
        self.client = ModelClient(
            self.backend,
            config,
            cache,
            self.usage,
            limiter=limiter,
            breaker=breaker,
            sleep=self.wait,
        )

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def ask(self, prediction: str = "couch", **options: Any) -> Parsed[CategoryAnswer]:
        return await self.client.structured(category_request(prediction), CategoryAnswer, **options)

    def error(self, **options: Any) -> ToolkitError:
        with pytest.raises(ToolkitError) as raised:
            asyncio.run(self.ask(**options))
        return raised.value

    @property
    def total(self) -> Usage:
        return self.usage.total


def test_second_time_comes_from_the_cache(cache: ResponseCache) -> None:
    setup = Setup(cache, [GOOD])
    first, second = asyncio.run(setup.ask()), asyncio.run(setup.ask())
    assert (first.cached, second.cached) == (False, True)
    assert first.value == second.value == CategoryAnswer(decision="is_a")
    assert first.key == second.key
    assert len(setup.backend.requests) == 1
    assert (setup.total.requests, setup.total.cached, setup.total.calls) == (2, 1, 1)


def test_answer_is_stored_before_it_is_used(cache: ResponseCache) -> None:
    setup = Setup(cache, [GOOD])
    parsed = asyncio.run(setup.ask())
    assert cache.get(parsed.key) == parsed.completion.model_copy(update={"seconds": None})


def test_what_changes_the_answer_changes_the_key() -> None:
    request = category_request()
    keys = {
        changed.cache_key(backend, CategoryAnswer)
        for backend in ("a", "b")
        for changed in (
            request,
            category_request("settee"),
            request.model_copy(update={"sample_index": 1}),
            request.model_copy(update={"top_logprobs": 2}),
            request.model_copy(update={"prompt_version": "2"}),
        )
    }
    assert len(keys) == 10


def test_identical_requests_in_flight_are_one_call(cache: ResponseCache) -> None:
    setup = Setup(cache, [GOOD], delay_s=0.02)

    async def both() -> list[Parsed[CategoryAnswer]]:
        return await asyncio.gather(*(setup.ask() for _ in range(5)))

    assert len({parsed.value for parsed in asyncio.run(both())}) == 1
    assert (setup.total.calls, setup.total.coalesced) == (1, 4)


def test_follower_outlives_a_cancelled_leader(cache: ResponseCache) -> None:
    setup = Setup(cache, [GOOD], delay_s=0.02)

    async def cancel_leader() -> Parsed[CategoryAnswer]:
        leader = asyncio.create_task(setup.ask())
        follower = asyncio.create_task(setup.ask())
        await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        return await follower

    assert asyncio.run(cancel_leader()).value.decision == "is_a"
    assert setup.total.calls == 1


def test_call_ends_when_all_who_wait_are_cancelled(cache: ResponseCache) -> None:
    setup = Setup(cache, [GOOD], delay_s=30)

    async def cancel_all() -> None:
        waiting = [asyncio.create_task(setup.ask()) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        assert setup.client.limiter.active == 0

    asyncio.run(cancel_all())


def test_followers_get_the_leaders_error_and_the_next_asks_anew(cache: ResponseCache) -> None:
    setup = Setup(cache, [{"$fault": "bad_request"}, GOOD], delay_s=0.01)

    async def both() -> list[Any]:
        return await asyncio.gather(setup.ask(), setup.ask(), return_exceptions=True)

    assert [error.kind for error in asyncio.run(both())] == ["bad_request"] * 2
    assert asyncio.run(setup.ask()).value.decision == "is_a"


@pytest.mark.parametrize("fault", ["truncated", "refused"])
def test_unfinished_answers_are_neither_parsed_nor_cached(cache: ResponseCache, fault: str) -> None:
    reason = {"truncated": "length", "refused": "refusal"}[fault]
    complete = Completion(text='{"decision": "is_a"}', finish_reason=reason, model="fake")
    setup = Setup(cache, [complete, GOOD])
    assert setup.error().kind == fault
    assert asyncio.run(setup.ask()).cached is False
    assert setup.total.corrections == 0


def test_correction_turn_shows_the_answer_and_its_faults(cache: ResponseCache) -> None:
    setup = Setup(cache, [BAD, GOOD])
    assert asyncio.run(setup.ask()).value.decision == "is_a"
    first, second = setup.backend.requests
    assert second.messages[:-2] == first.messages
    answer, complaint = second.messages[-2:]
    assert (answer.role, answer.content) == ("assistant", '{"decision": "perhaps"}')
    assert complaint.role == "user"
    assert "decision" in complaint.content and "perhaps" in complaint.content
    assert (setup.total.calls, setup.total.corrections, setup.total.retries) == (2, 1, 0)
    assert asyncio.run(setup.ask()).cached is True


@pytest.mark.parametrize(("step", "kind"), [(BAD, "schema"), ("{]", "malformed")])
def test_wrong_twice_is_an_error_and_is_not_cached(
    cache: ResponseCache, step: Any, kind: str
) -> None:
    setup = Setup(cache, [step])
    assert setup.error().kind == kind
    assert setup.total.calls == 2
    assert setup.error().kind == kind
    assert setup.total.calls == 4


def test_semantic_check_gets_a_correction_and_guards_the_cache(cache: ResponseCache) -> None:
    def reject(answer: CategoryAnswer) -> None:
        if answer.decision == "is_a":
            raise ToolkitError("semantic", "a couch is no sofa here")

    setup = Setup(cache, [GOOD, {"decision": "may_refer_to"}])
    parsed = asyncio.run(setup.ask(validate=reject))
    assert parsed.value.decision == "may_refer_to"
    assert "a couch is no sofa here" in setup.backend.requests[1].messages[-1].content

    always_good = Setup(cache, [GOOD])
    asyncio.run(always_good.ask("settee"))
    assert always_good.error(prediction="settee", validate=reject).kind == "semantic"
    assert (always_good.total.cached, always_good.total.calls) == (0, 3)


@pytest.mark.parametrize("kind", ["timeout", "server"])
def test_transient_failures_get_five_tries(cache: ResponseCache, kind: str) -> None:
    setup = Setup(cache, [{"$fault": kind}])
    assert setup.error().kind == kind
    assert (setup.total.calls, setup.total.retries, len(setup.waits)) == (5, 4, 4)


def test_dead_endpoint_uses_up_no_attempts_and_goes_on_when_it_answers(
    cache: ResponseCache,
) -> None:
    def dead_at_first(request: Any, output: Any) -> Any:
        return {"$fault": "connection"} if setup.total.calls <= 40 else GOOD

    setup = Setup(cache, dead_at_first, max_parallel=4)

    async def many() -> list[Any]:
        return await asyncio.gather(*(setup.ask(str(n)) for n in range(30)), return_exceptions=True)

    assert all(isinstance(outcome, Parsed) for outcome in asyncio.run(many()))
    total = setup.total
    assert total.calls == 70 == total.requests + total.retries
    assert setup.now > 60, "the tries lie up to 30 s apart"


def test_endpoint_that_stays_dead_ends_the_run_and_no_record(cache: ResponseCache) -> None:
    setup = Setup(cache, [{"$fault": "server"}], max_parallel=4, dead_after_s=60)

    async def many() -> list[Any]:
        return await asyncio.gather(*(setup.ask(str(n)) for n in range(30)), return_exceptions=True)

    outcomes = asyncio.run(many())
    assert {outcome.kind for outcome in outcomes} == {"prerequisite"}
    assert "scripted fault: server" in outcomes[0].message
    assert outcomes[0].exit_code == 3


def test_rate_limit_gets_six_tries_waits_as_asked_and_halves_concurrency(
    cache: ResponseCache,
) -> None:
    setup = Setup(cache, [{"$fault": "rate_limited", "retry_after": 0.001}], max_parallel=16)
    assert setup.error().kind == "rate_limited"
    assert (setup.total.calls, setup.total.rate_limited) == (6, 6)
    assert all(0.001 <= wait <= 0.00125 for wait in setup.waits)
    assert setup.client.limiter.limit < 16
    at_once = Setup(cache, [{"$fault": "rate_limited", "retry_after": 0}])
    assert at_once.error().kind == "rate_limited" and sum(at_once.waits) > 0.1


def test_very_long_retry_after_is_not_waited_for(cache: ResponseCache) -> None:
    setup = Setup(cache, [{"$fault": "rate_limited", "retry_after": 86_400}])
    assert setup.error().kind == "rate_limited"
    assert (setup.total.calls, setup.waits) == (1, [])


def test_correction_shares_the_six_attempts(cache: ResponseCache) -> None:
    fault = {"$fault": "server"}
    setup = Setup(cache, [*[fault] * 4, BAD, fault, GOOD])
    assert setup.error().kind == "server"
    assert setup.total.calls == 6


@pytest.mark.parametrize("kind", ["auth", "bad_request", "context_too_long", "image"])
def test_hopeless_failures_are_not_repeated(cache: ResponseCache, kind: str) -> None:
    setup = Setup(cache, [{"$fault": kind}])
    assert setup.error().kind == kind
    assert setup.total.calls == 1


def test_programming_errors_propagate(cache: ResponseCache) -> None:
    def broken(request: Any, output: Any) -> str:
        raise ZeroDivisionError

    setup = Setup(cache, broken)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(setup.ask())
    assert setup.total.calls == 1


def test_slow_answer_times_out(cache: ResponseCache) -> None:
    setup = Setup(cache, [GOOD], delay_s=30, timeout_s=0.01)
    error = setup.error()
    assert error.kind == "timeout"
    assert setup.total.calls == 5


def paid(text: str = '{"decision": "is_a"}') -> Completion:
    usage = TokenUsage(prompt_tokens=1000, completion_tokens=100)
    return Completion(text=text, model="fake", usage=usage)


def test_price_of_the_config_counts(cache: ResponseCache) -> None:
    setup = Setup(cache, [paid()], price={"input": 2.0, "output": 10.0})
    parsed = asyncio.run(setup.ask())
    assert parsed.completion.usage.cost_usd == pytest.approx(0.003)
    assert setup.total.cost_usd == pytest.approx(0.003)
    assert (setup.total.prompt_tokens, setup.total.completion_tokens) == (1000, 100)


def test_budget_is_kept_to_the_call_once_an_answer_told_the_price(cache: ResponseCache) -> None:
    setup = Setup(
        cache,
        [paid()],
        budget_usd=0.01,
        max_parallel=2,
        price={"input": 1.0, "output": 0.0},
        delay_s=0.001,
    )

    async def many() -> list[Any]:
        asked = (setup.ask(str(number)) for number in range(30))
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = asyncio.run(many())
    errors = [outcome for outcome in outcomes if isinstance(outcome, ToolkitError)]
    assert {error.kind for error in errors} == {"budget"}
    assert setup.total.calls == 10
    assert len(errors) == 20


def test_first_calls_are_held_to_cost_what_they_may_at_most(cache: ResponseCache) -> None:
    # 64 tokens at $1000 a million are $0.064 at most: one call at a time.
    price = {"input": 0.0, "output": 1000.0}
    usage = TokenUsage(prompt_tokens=10, completion_tokens=60)
    answer = Completion(text='{"decision": "is_a"}', model="fake", usage=usage)
    setup = Setup(cache, [answer], budget_usd=0.1, max_parallel=16, price=price, delay_s=0.001)

    async def many() -> list[Any]:
        asked = (setup.ask(str(number)) for number in range(16))
        return await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(many())
    assert setup.total.calls == 2
    assert setup.total.cost_usd == pytest.approx(0.12), "the last call may cross the line"


def test_failed_calls_give_their_money_back(cache: ResponseCache) -> None:
    fault = {"$fault": "bad_request"}
    price = {"input": 0.0, "output": 1000.0}
    setup = Setup(cache, [fault], budget_usd=0.1, max_parallel=4, price=price, delay_s=0.001)

    async def many() -> list[Any]:
        asked = (setup.ask(str(number)) for number in range(16))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert {error.kind for error in asyncio.run(many())} == {"bad_request"}
    assert (setup.total.calls, setup.usage._reserved) == (16, [])


def test_budget_knows_what_was_spent_before() -> None:
    meter = UsageMeter(budget_usd=1.0, spent_before_usd=1.0)
    with pytest.raises(ToolkitError, match=r"budget of \$1.00"):
        meter.check_budget()


def test_scope_counts_what_its_tasks_do_and_pay(cache: ResponseCache) -> None:
    setup = Setup(cache, [paid()], price={"input": 1.0, "output": 0.0}, delay_s=0.001)

    async def record(*predictions: str) -> Usage:
        with setup.usage.scope() as scope:
            await asyncio.gather(*(setup.ask(prediction) for prediction in predictions))
        return scope

    async def two_records() -> list[Usage]:
        return list(await asyncio.gather(record("a", "b"), record("b", "c")))

    first, second = asyncio.run(two_records())
    again = asyncio.run(record("a", "c"))
    assert (first.requests, first.calls, first.cost_usd) == (2, 2, pytest.approx(0.002))
    assert (second.requests, second.calls, second.coalesced) == (2, 1, 1)
    assert second.cost_usd == pytest.approx(0.001)
    assert (again.requests, again.cached, again.calls, again.cost_usd) == (2, 2, 0, 0.0)
    assert setup.total.cost_usd == pytest.approx(0.003)


def test_scopes_nest() -> None:
    meter = UsageMeter()
    with meter.scope() as outer:
        meter.count("calls")
        with meter.scope() as inner:
            meter.count("calls")
    meter.count("calls")
    assert (inner.calls, outer.calls, meter.total.calls) == (1, 2, 3)


def test_counts_add_up_under_mixed_faults(cache: ResponseCache) -> None:
    faults: list[Any] = [{"$fault": kind} for kind in ("server", "rate_limited", "refused")]
    setup = Setup(cache, [GOOD, *faults, BAD, "{", GOOD], max_parallel=4, delay_s=0.001)

    async def many() -> list[Any]:
        asked = (setup.ask(str(number % 60)) for number in range(100))
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = asyncio.run(many())
    total = setup.total
    assert len(outcomes) == total.requests == 100
    assert total.coalesced == 40
    assert total.calls == len(setup.backend.requests)
    assert total.calls == total.requests - total.coalesced + total.retries + total.corrections
    assert setup.backend.max_in_flight <= 4
    assert all(isinstance(outcome, Parsed | ToolkitError) for outcome in outcomes)
