"""distilabel: a pipeline of one text-generation step with structured output."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["DISTILABEL_LOG_LEVEL"] = "ERROR"

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps.tasks import TextGeneration
from task import IN_FLIGHT, INSTRUCTION, Decision, main, questions


def run(api_base: str, count: int, folder: Path) -> int:
    with Pipeline(name="decisions", cache_dir=folder / "cache") as pipeline:
        TextGeneration(
            llm=OpenAILLM(
                model="test",
                base_url=api_base,
                api_key="none",
                structured_output={"schema": Decision},
            ),
            system_prompt=INSTRUCTION,
            input_batch_size=IN_FLIGHT,
        )
    rows = [{"instruction": text} for text in questions(count)]
    made = pipeline.run(dataset=rows, use_cache=True)
    return sum(1 for row in made["default"]["train"] if row["generation"])


if __name__ == "__main__":
    main(run)
