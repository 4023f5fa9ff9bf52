"""The critic as a reward: what it says, once, in order; what fails is neutral and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.critic_reward import consistency
from runtime.errors import ToolkitError
from schemas.trajectory import CriticInput
from tests.agents.critics import DOLLAR, critic_server, images_shown, score
from tests.training.models import make_images

QUESTION = "What is shown?"
ROWS = [{"id": "a", "question": QUESTION}]
BAD = "nonsense"


@pytest.fixture
def image(tmp_path: Path) -> str:
    return str(tmp_path / make_images(tmp_path)[0])


def failing(asked: CriticInput) -> float:
    """2 is no consistency: it is asked once more, and then given up."""
    return 2.0 if BAD in asked.response else score(asked)


def ask(
    reward: Callable[..., list[float | None]], texts: Sequence[str], image: str, **more: Any
) -> tuple[list[float | None], dict[str, float]]:
    """Rewards and metrics of a batch as TRL gives it: one question about one image."""
    metrics: dict[str, float] = {}
    rewards = reward(
        prompts=[[{"role": "user", "content": QUESTION}]] * len(texts),
        completions=[[{"role": "assistant", "content": text}] for text in texts],
        completion_ids=[[1]] * len(texts),
        question=[QUESTION] * len(texts),
        image_paths=[[image]] * len(texts),
        images=[[object()]] * len(texts),
        trainer_state=None,
        log_metric=metrics.__setitem__,
        **more,
    )
    return rewards, metrics


def said(*texts: str) -> list[float]:
    return [score(CriticInput(question=QUESTION, response=text)) for text in texts]


def test_rewards_are_what_the_critic_says_in_order(image: str, tmp_path: Path) -> None:
    texts = [f"a cat on {number} sofas" for number in range(12)]
    with critic_server(tmp_path) as (critic, server, config):
        server.settings.latency_ms = 30
        with consistency(config, ROWS) as reward:
            rewards, metrics = ask(reward, texts, image)
        assert rewards == said(*texts)
        assert len(set(rewards)) > 6
        assert metrics == {"critic/failed": 0.0, "critic/cached": 0.0}
        assert server.stats["requests"] == 12
        assert server.max_in_flight == 12
        assert images_shown(server) == {1}
        assert {item.caption for item in critic.asked} == {None}


def test_an_answer_is_judged_once_for_all_trainings(image: str, tmp_path: Path) -> None:
    texts = ["a cat", "a dog", "a cat", "a cat"]
    with critic_server(tmp_path) as (_, server, config):
        with consistency(config, ROWS) as reward:
            first, metrics = ask(reward, texts, image)
            assert metrics["critic/cached"] == 0.5
            again, metrics = ask(reward, texts, image)
            assert metrics["critic/cached"] == 1.0
        with consistency(config, ROWS) as reward:
            later, _ = ask(reward, texts, image)
        assert first == again == later == said(*texts)
        assert server.stats["requests"] == 2


def test_nothing_said_earns_nothing_and_is_not_asked(image: str, tmp_path: Path) -> None:
    with critic_server(tmp_path) as (_, server, config), consistency(config, ROWS) as reward:
        rewards, _ = ask(reward, ["", " \n", "a cat"], image)
        assert rewards == [0.0, 0.0, *said("a cat")]
        assert server.stats["requests"] == 1


def test_a_failure_is_neutral_and_counted(
    image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["a cat", BAD, "a dog", "x" * 20_001]
    with critic_server(tmp_path, failing) as (_, _, config):
        with consistency(config, ROWS) as reward:
            rewards, metrics = ask(reward, texts, image)
        assert rewards == [*said("a cat"), None, *said("a dog"), None]
        assert metrics["critic/failed"] == 0.5
    assert "critic: 4 answers judged, 2 failed; 4 calls" in capsys.readouterr().out


def test_too_many_failures_stop_the_training(image: str, tmp_path: Path) -> None:
    good = [f"cat {number}" for number in range(18)]
    with critic_server(tmp_path, failing) as (_, _, config), consistency(config, ROWS) as reward:
        rewards, _ = ask(reward, [*good, f"{BAD} 1", f"{BAD} 2"], image)
        assert rewards[18:] == [None, None], "2 of 20 are allowed"
        with pytest.raises(ToolkitError, match="failed at 3 of the last 21 answers") as caught:
            ask(reward, [f"{BAD} 3"], image)
    assert caught.value.exit_code == 5
    assert "max_error_rate" in caught.value.hint


@pytest.mark.parametrize("processes", [1, 2])
def test_the_budget_is_shared_and_stops_the_training(
    processes: int, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    run = {"budget_usd": 2}
    with (
        critic_server(tmp_path, lambda _: 0.25, price=DOLLAR, run=run) as (_, server, config),
        consistency(config, ROWS) as reward,
    ):
        allowed = 2 // processes
        for number in range(allowed):
            assert ask(reward, [f"cat {number}"], image)[0] == [0.25]
        with pytest.raises(ToolkitError, match="budget") as caught:
            ask(reward, ["a dog"], image)
        assert caught.value.exit_code == 4
        assert server.stats["requests"] == allowed
        assert ask(reward, ["cat 0"], image)[0] == [0.25], "what is known costs nothing"


def test_a_critic_without_vision_reads_the_captions(image: str, tmp_path: Path) -> None:
    with critic_server(tmp_path, vision=False) as (critic, server, config):
        with (
            pytest.raises(ToolkitError, match="critic needs vision") as caught,
            consistency(config, [*ROWS, {"question": "Who?", "caption": "A cat."}]),
        ):
            pass
        assert caught.value.exit_code == 3
        with consistency(config, [ROWS[0] | {"caption": "A cat."}]) as reward:
            ask(reward, ["a dog"], image, caption=["A cat."])
        assert images_shown(server) == {0}
        assert [item.caption for item in critic.asked] == ["A cat."]


@pytest.mark.parametrize(
    ("rows", "profile", "message", "code"),
    [
        ([{"id": "b"}], {}, "b: no question", 2),
        (ROWS, {"api_key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY", 3),
        (ROWS, {"api_base": "http://127.0.0.1:9/v1"}, "127.0.0.1:9", 3),
        (ROWS, {"modle": "x"}, "did you mean `model`", 2),
    ],
)
def test_what_is_wrong_is_said_when_the_critic_is_opened(
    rows: list[dict[str, Any]], profile: dict[str, Any], message: str, code: int, tmp_path: Path
) -> None:
    with (
        critic_server(tmp_path, **profile) as (_, server, config),
        pytest.raises(ToolkitError, match=message) as caught,
        consistency(config, rows),
    ):
        pass
    assert caught.value.exit_code == code
    assert server.stats["requests"] == 0
