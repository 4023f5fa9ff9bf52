"""Batches through transformers; outlines masks the tokens that would break the schema."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from backends.base import Completion, ModelRequest, PlainText, TokenUsage
from backends.outlines_driver import Asked
from backends.rendering import check_template, prompt_tokens, shown_name, too_long
from runtime.errors import ToolkitError
from schemas.config import OutlinesConfig

# JSON as json.dumps writes it: a model that may choose its blanks can choose them for ever.
_LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_DEFAULT_CONTEXT = 4096


class TransformersEngine:
    """A causal language model with its tokenizer, on one device."""

    def __init__(self, config: OutlinesConfig) -> None:
        """Load the model. Raises ToolkitError, and what transformers raises."""
        import outlines
        import torch
        from outlines.backends.llguidance import LLGuidanceBackend
        from transformers import AutoModelForCausalLM, AutoTokenizer

        # outlines goes on feeding answers that have ended, and warns of each such token.
        warnings.filterwarnings("ignore", message="Error in LLMatcher")
        self.config = config
        device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
        source = {"revision": config.revision}
        self._tokenizer = AutoTokenizer.from_pretrained(config.model, **source)
        check_template(self._tokenizer, config.model)
        model = AutoModelForCausalLM.from_pretrained(config.model, dtype=config.dtype, **source)
        self._model = model.to(device).eval()
        self._grammars = LLGuidanceBackend(outlines.from_transformers(model, self._tokenizer))
        self._processors: dict[tuple[type[BaseModel], tuple[str, ...]], Any] = {}
        self._stopped = threading.Event()
        made_for = getattr(model.config, "max_position_embeddings", None) or _DEFAULT_CONTEXT
        self._context = min(config.context or made_for, made_for)
        ends = model.generation_config.eos_token_id or self._tokenizer.eos_token_id
        self._ends = {self._tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}

    def stop(self) -> None:
        """Give up what is being generated."""
        self._stopped.set()

    def generate(self, batch: Sequence[Asked]) -> list[Completion | ToolkitError]:
        """The answers in the order of the batch, whose requests differ in their messages only."""
        prompts = [prompt_tokens(self._tokenizer, asked.request) for asked in batch]
        answers: list[Completion | ToolkitError | None] = [
            too_long(len(prompt), self._context) for prompt in prompts
        ]
        fitting = [place for place, answer in enumerate(answers) if answer is None]
        for group in self._groups(batch[0].request.sampling.max_tokens, prompts, fitting):
            found = self._answers([batch[i] for i in group], [prompts[i] for i in group])
            for place, completion in zip(group, found, strict=True):
                answers[place] = completion
        return [answer for answer in answers if answer is not None]

    def _groups(
        self, max_tokens: int, prompts: list[list[int]], fitting: list[int]
    ) -> list[list[int]]:
        """Which prompts share a batch: one that leaves less room than `max_tokens` is alone.

        All prompts of a batch are as long as its longest, which would cut off the others' answers.
        """
        room = self._context - max_tokens
        together = [place for place in fitting if len(prompts[place]) <= room]
        alone = [[place] for place in fitting if len(prompts[place]) > room]
        return [together, *alone] if together else alone

    def _answers(self, batch: list[Asked], prompts: list[list[int]]) -> list[Completion]:
        import torch
        from transformers import LogitsProcessorList

        request = batch[0].request
        inputs = self._tokenizer.pad(
            {"input_ids": prompts}, padding=True, padding_side="left", return_tensors="pt"
        ).to(self._model.device)
        length = inputs["input_ids"].shape[1]
        steps = [*self._constraint(batch[0]), *self._draw([asked.request for asked in batch])]
        # llguidance would compile its masking, which takes a C++ compiler and longer than a batch.
        with torch.inference_mode(), torch.compiler.set_stance("force_eager"):
            tokens = self._model.generate(
                **inputs,
                do_sample=False,  # `_draw` has drawn
                num_beams=1,
                temperature=None, top_p=None, top_k=None, repetition_penalty=1.0,
                max_new_tokens=min(request.sampling.max_tokens, self._context - length),
                pad_token_id=self._tokenizer.pad_token_id,
                logits_processor=LogitsProcessorList(steps),
                stopping_criteria=[self._is_stopped],
            )[:, length:]  # fmt: skip
        return [
            self._completion(row, len(prompt))
            for row, prompt in zip(tokens.tolist(), prompts, strict=True)
        ]

    def _constraint(self, asked: Asked) -> list[Any]:
        choices = asked.request.choices
        if issubclass(asked.output, PlainText) and not choices:
            return []
        key = (asked.output, choices)
        if key not in self._processors:
            if choices:
                regex = "|".join(re.escape(choice) for choice in choices)
                made = self._grammars.get_regex_logits_processor(regex)
            else:
                schema = asked.output.model_json_schema() | {"x-guidance": _LAYOUT}
                made = self._grammars.get_json_schema_logits_processor(json.dumps(schema))
            self._processors[key] = made
        self._processors[key].reset()
        return [self._processors[key]]

    def _draw(self, requests: list[ModelRequest]) -> list[Any]:
        """Sampling as noise on the logits (Gumbel), so that each request has a seed of its own.

        The answer to a request then does not depend on what shares its batch.
        """
        import torch

        temperature = requests[0].sampling.temperature
        if temperature == 0:
            return []
        generators = []
        for request in requests:
            generator = torch.Generator()
            seed = request.sampling.seed
            if seed is None:
                generator.seed()
            else:
                generator.manual_seed(seed + request.sample_index)
            generators.append(generator)

        def draw(tokens: Any, logits: Any) -> Any:
            size = logits.shape[1]
            waits = [torch.empty(size).exponential_(generator=one) for one in generators]
            return logits / temperature - torch.stack(waits).log().to(logits.device)

        return [draw]

    def _is_stopped(self, tokens: Any, scores: Any, **_: Any) -> Any:
        import torch

        return torch.full((len(tokens),), self._stopped.is_set(), device=tokens.device)

    def _completion(self, tokens: list[int], asked: int) -> Completion:
        end = next((at for at, token in enumerate(tokens) if token in self._ends), None)
        answer = tokens[:end]
        return Completion(
            text=self._tokenizer.decode(answer, skip_special_tokens=True),
            finish_reason="length" if end is None else "stop",
            model=shown_name(self.config),
            usage=TokenUsage(
                prompt_tokens=asked, completion_tokens=len(answer) + (end is not None)
            ),
        )
