"""NeMo Data Designer: one structured column over a seed data set."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["NEMO_TELEMETRY_ENABLED"] = "false"

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner
from task import IN_FLIGHT, INSTRUCTION, Decision, main, questions


def run(api_base: str, count: int, folder: Path) -> int:
    os.environ["DATA_DESIGNER_HOME"] = str(folder / "home")
    server = dd.ModelProvider(
        name="server", endpoint=api_base, provider_type="openai", api_key="none"
    )
    model = dd.ModelConfig(
        alias="test",
        model="test",
        provider="server",
        skip_health_check=True,
        inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=IN_FLIGHT),
    )
    designer = DataDesigner(artifact_path=folder / "artifacts", model_providers=[server])
    designer.set_run_config(dd.RunConfig(otel_metrics_port=None, disable_early_shutdown=True))
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(
        dd.DataFrameSeedSource(df=pd.DataFrame({"text": questions(count)})),
        sampling_strategy=dd.SamplingStrategy.ORDERED,
    )
    builder.add_column(
        dd.LLMStructuredColumnConfig(
            name="decision",
            prompt="{{ text }}",
            system_prompt=INSTRUCTION,
            model_alias="test",
            output_format=Decision,
        )
    )
    resume = dd.ResumeMode.IF_POSSIBLE
    made = designer.create(builder, num_records=count, dataset_name="decisions", resume=resume)
    return len(made.load_dataset())


if __name__ == "__main__":
    main(run)
