"""grainwise: an agent of twenty lines, run by the same command as every other one."""

from __future__ import annotations

import json
from pathlib import Path

from task import IN_FLIGHT, INSTRUCTION, Decision, main, questions

from agents import command
from agents.base import Agent, AgentContext
from agents.command import AgentCommand, Results
from backends.base import Message, ModelRequest
from runtime.files import write_jsonl
from schemas.base import Record


class Question(Record):
    text: str


class Judge(Agent[Question, Decision]):
    name = "judge"
    steps = ("judge",)

    async def run(self, item: Question, context: AgentContext) -> Decision:
        messages = (
            Message(role="system", content=INSTRUCTION), Message(role="user", content=item.text),
        )  # fmt: skip
        request = ModelRequest(task="judge", prompt_version="1", inputs=item, messages=messages)
        return (await context.send("judge", request, Decision)).value

    def estimate(self, item: Question) -> dict[str, int]:
        return {"judge": 1}


def write(results: Results) -> list[str]:
    rows = ({"id": one.id, **(one.value or {})} for one in results.outcomes())
    return [f"{write_jsonl(results.directory / 'decisions.jsonl', rows)} decisions"]


def run(api_base: str, count: int, folder: Path) -> int:
    source, config = folder / "questions.jsonl", folder / "config.json"
    rows = ({"id": str(number), "text": text} for number, text in enumerate(questions(count)))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    server = {"driver": "litellm", "model": "hosted_vllm/test", "api_base": api_base}
    config.write_text(
        json.dumps(
            {
                "backends": {"server": server | {"max_parallel": IN_FLIGHT}},
                "agents": {"default": "server"},
                "run": {"cache": str(folder / "cache")},
            }
        )
    )
    # A run that was killed goes on; one that was finished is done again, from the cache.
    finished = len(list(folder.glob("run*/manifest.json")))
    output = folder / f"run{finished}"
    command.AGENT_NAMES += ("judge",)
    judge = AgentCommand(
        Judge(), "judge", "", Question, lambda row, *_: (row,), ("decisions.jsonl",), write
    )
    words = [str(source), "--output", str(output), "--config", str(config)]
    if judge.main([*words, "--concurrency", str(IN_FLIGHT)]):
        return 0
    return sum(1 for _ in (output / "decisions.jsonl").open())


if __name__ == "__main__":
    main(run)
