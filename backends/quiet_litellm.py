"""LiteLLM without what nobody reads here: telemetry, downloads, notices, reports on each call."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import warnings
from datetime import datetime
from functools import cache
from types import ModuleType
from typing import Any

_PRICED_BY_TOKENS = ("anthropic", "gemini", "openai")
_numbers = itertools.count()


@cache
def import_litellm() -> ModuleType:
    """LiteLLM, quiet and offline. The first call takes about three seconds."""
    for name in ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS"):  # else it tries to download them
        os.environ.setdefault(f"LITELLM_LOCAL_{name}", "True")
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # It leaves a coroutine behind when a call is cancelled between its thread and the loop.
    warnings.filterwarnings("ignore", r"coroutine '\w+\.acompletion' was never awaited")
    module: ModuleType = litellm
    return module


def record_arguments(model: str, messages: Any, *, priced: bool = True) -> dict[str, Any]:
    """Arguments of `litellm.acompletion` that bring our own record of the call.

    LiteLLM's prices each answer and reports on it to loggers, of which there are none: half of its
    time. Without `priced` the answer has no price. Empty for a LiteLLM whose records are made
    otherwise, and what another version does in other places it goes on to do.
    """
    call = f"call-{next(_numbers)}"
    try:
        record = _record_class()(
            model=model,
            messages=messages,
            stream=False,
            call_type="acompletion",
            start_time=datetime.now(),  # LiteLLM takes the difference to such a time without zone
            litellm_call_id=call,
            litellm_trace_id=call,
            function_id="",
        )
    except (ImportError, TypeError):
        return {}
    record.priced = priced
    return {"litellm_logging_obj": record, "litellm_call_id": call}


@cache
def _record_class() -> Any:
    """The class of our records, made when LiteLLM is loaded, which takes seconds."""
    litellm = import_litellm()
    from litellm.litellm_core_utils.litellm_logging import Logging

    class Record(Logging):  # type: ignore[misc]  # LiteLLM has no types
        priced = True

        def response_cost_calculator(self, result: Any, *more: Any, **options: Any) -> float | None:
            """US dollars. Where only tokens are paid, by LiteLLM's table alone."""
            if not self.priced:
                return None
            provider = self.model_call_details.get("custom_llm_provider")
            if provider in _PRICED_BY_TOKENS:
                with contextlib.suppress(Exception):  # it raises any type for an unknown model
                    paid = litellm.cost_per_token(
                        model=result.model or self.model,
                        custom_llm_provider=provider,
                        usage_object=result.usage,
                        service_tier=getattr(result, "service_tier", None),
                    )
                    return float(sum(paid))
            cost: float | None = super().response_cost_calculator(result, *more, **options)
            return cost

        def claim_async_success_log(self) -> bool:
            """Nobody reads the report."""
            return False

        def handle_sync_success_callbacks_for_async_calls(self, *_: Any, **__: Any) -> None:
            """Nobody reads the report."""

    return Record
