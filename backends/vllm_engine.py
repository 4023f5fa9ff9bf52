"""Offline batches through vLLM, which masks the tokens that would break the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.base import Completion, PlainText, TokenUsage
from backends.outlines_driver import Asked
from backends.rendering import check_template, prompt_tokens, shown_name, too_long
from runtime.errors import ToolkitError
from schemas.config import OutlinesConfig


class VLLMEngine:
    """`vllm.LLM`: every request of a batch has its own schema, seed and length."""

    def __init__(self, config: OutlinesConfig) -> None:
        """Load the model. Raises ToolkitError, and what vLLM raises."""
        from vllm import LLM

        self.config = config
        bounds = {"max_model_len": config.context} if config.context else {}
        self._llm = LLM(
            model=config.model,
            revision=config.revision,
            dtype=config.dtype,
            max_num_seqs=config.max_parallel,
            **bounds,
        )
        self._tokenizer = self._llm.get_tokenizer()
        check_template(self._tokenizer, config.model)

    def stop(self) -> None:
        """A batch that vLLM has begun it ends."""

    def generate(self, batch: Sequence[Asked]) -> list[Completion | ToolkitError]:
        """The answers in the order of the batch."""
        prompts = [prompt_tokens(self._tokenizer, asked.request) for asked in batch]
        # vLLM refuses the whole batch for one that is too long; then each comes alone.
        if self.config.context and len(batch) == 1:
            error = too_long(len(prompts[0]), self.config.context)
            if error is not None:
                return [error]
        results = self._llm.generate(
            [{"prompt_token_ids": prompt} for prompt in prompts],
            [_sampling(asked) for asked in batch],
            use_tqdm=False,
        )
        return [self._completion(result) for result in results]

    def _completion(self, result: Any) -> Completion:
        answer = result.outputs[0]
        return Completion(
            text=answer.text,
            finish_reason="length" if answer.finish_reason == "length" else "stop",
            model=shown_name(self.config),
            usage=TokenUsage(
                prompt_tokens=len(result.prompt_token_ids),
                completion_tokens=len(answer.token_ids),
            ),
        )


def _sampling(asked: Asked) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    request, held = asked.request, None
    if request.choices:
        held = StructuredOutputsParams(choice=list(request.choices))
    elif not issubclass(asked.output, PlainText):
        held = StructuredOutputsParams(json=asked.output.model_json_schema())
    seed = request.sampling.seed
    return SamplingParams(
        temperature=request.sampling.temperature,
        max_tokens=request.sampling.max_tokens,
        seed=None if seed is None else seed + request.sample_index,
        structured_outputs=held,
    )
