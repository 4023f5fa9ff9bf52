"""Plain LiteLLM: `acompletion` behind a semaphore, with no cache and nothing kept."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from task import IN_FLIGHT, INSTRUCTION, Decision, main, questions

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

litellm.suppress_debug_info = True


async def ask_all(api_base: str, count: int) -> int:
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def ask(text: str) -> Decision:
        async with slots:
            answer = await litellm.acompletion(
                model="hosted_vllm/test",
                api_base=api_base,
                messages=[
                    {"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text},
                ],
                response_format=Decision,
            )  # fmt: skip
        return Decision.model_validate_json(answer.choices[0].message.content)

    return len(await asyncio.gather(*map(ask, questions(count))))


def run(api_base: str, count: int, folder: Path) -> int:
    return asyncio.run(ask_all(api_base, count))


if __name__ == "__main__":
    main(run)
