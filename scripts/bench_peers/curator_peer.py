"""Bespoke Curator, on its OpenAI backend, which is faster than its LiteLLM backend."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

os.environ |= {"TELEMETRY_ENABLED": "0", "CURATOR_DISABLE_RICH_DISPLAY": "1"}
# It counts tokens with tiktoken, whose table LiteLLM carries: no download.
spec = find_spec("litellm")
assert spec is not None and spec.origin is not None
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "litellm_core_utils/tokenizers")

from bespokelabs import curator
from task import IN_FLIGHT, INSTRUCTION, Decision, main, questions


class Judge(curator.LLM):
    response_format = Decision

    def prompt(self, input: dict) -> list[dict]:
        return [
            {"role": "system", "content": INSTRUCTION}, {"role": "user", "content": input["text"]},
        ]  # fmt: skip

    def parse(self, input: dict, response: Decision) -> dict:
        return {"text": input["text"], "decision": response.decision}


def run(api_base: str, count: int, folder: Path) -> int:
    judge = Judge(
        model_name="gpt-4o-mini",
        backend="openai",
        backend_params={
            "base_url": api_base,
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 10_000_000_000,
            "max_concurrent_requests": IN_FLIGHT,
            "require_all_responses": True,
        },
    )
    rows = [{"text": text} for text in questions(count)]
    answers = judge(rows, working_dir=str(folder / "cache"))
    return len(getattr(answers, "dataset", answers))


if __name__ == "__main__":
    main(run)
