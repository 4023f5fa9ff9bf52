"""The RP-DPO loss on top of TRL's DPOTrainer (GranFact section 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import torch
import torch.nn.functional as F
from datasets import Dataset, IterableDataset
from trl import DPOConfig, DPOTrainer

from runtime.errors import ToolkitError
from schemas.preference import PairKind

KINDS: tuple[str, ...] = get_args(PairKind)
REPEATED = -1
"""Kind of a pair that was used before and only fills up a process's last batch."""

_COLUMNS = ("margin", "kind", "weight")
_NOT_FOR_MODEL = ("completion_mask", "ref_chosen_logps", "ref_rejected_logps")
_PLAIN_LOSS = {"loss_type": ["sigmoid"], "label_smoothing": 0.0, "ld_alpha": None,
               "f_divergence_type": "reverse_kl", "use_weighting": False}  # fmt: skip

Batch = dict[str, Any]


@dataclass
class RPDPOConfig(DPOConfig):
    """TRL's settings, and λ, the weight of the mean loss of the granularity pairs."""

    granularity_weight: float = 0.5


class RPDPOTrainer(DPOTrainer):
    """`loss_i = −log σ(β·(Δpolicy_i − Δreference_i) − margin_i)`,
    `L = mean over reliability pairs + λ · mean over granularity pairs`.

    Rows have `margin` and `kind` beside TRL's columns. A pair weighs N / N_kind (times λ for
    granularity), counted over the whole data set: the mean of weight · loss over all pairs is L,
    however they fall into batches. A step averages over the pairs of all its accumulated batches
    and processes, each pair once. A kind without pairs adds 0 to L. The load-balancing loss of
    mixture-of-experts models is not added.
    """

    loss_is_scaled_for_ga = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in _PLAIN_LOSS.items():
            if getattr(self.args, name) != value:
                message = f"{name}: the RP-DPO loss has no place for it"
                raise ToolkitError("config", message, "remove it or train with training.dpo")
        self.train_dataset = self._weigh(self.train_dataset)
        if isinstance(self.eval_dataset, Mapping):
            self.eval_dataset = {k: self._weigh(v) for k, v in self.eval_dataset.items()}
        elif self.eval_dataset:
            self.eval_dataset = self._weigh(self.eval_dataset)
        self.data_collator = partial(_collate, self.data_collator)

    def _weigh(self, rows: Dataset) -> Dataset:
        """Rows with `weight`. Raises ToolkitError (input) where margin or kind are missing."""
        if isinstance(rows, IterableDataset):
            message = "RP-DPO counts the pairs of each kind before it starts"
            raise ToolkitError("input", message, "give a Dataset that is not streamed")
        complete = {"margin", "kind"} <= set(rows.column_names)
        kinds: list[Any] = list(rows["kind"]) if complete else [None]
        if not set(kinds) <= set(KINDS):
            message = f"RP-DPO needs a margin and a kind, {' or '.join(KINDS)}, in every pair"
            raise ToolkitError("input", message, "train other pairs with training.dpo")
        factor = {"reliability": 1.0, "granularity": self.args.granularity_weight}
        weight = {kind: factor[kind] * len(kinds) / kinds.count(kind) for kind in set(kinds)}
        return rows.add_column("weight", [weight[kind] for kind in kinds])

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns += [c for c in _COLUMNS if c not in self._signature_columns]

    def evaluate(self, eval_dataset: Any = None, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As TRL's; the rows of a data set given here are weighed among themselves."""
        if isinstance(eval_dataset, Dataset) and "weight" not in eval_dataset.column_names:
            eval_dataset = self._weigh(eval_dataset)
        return super().evaluate(eval_dataset, *args, **kwargs)

    def get_batch_samples(
        self, epoch_iterator: Iterable[Batch], num_batches: int, device: torch.device
    ) -> tuple[list[Batch], torch.Tensor]:
        """The batches of one step, and how many pairs they hold on all processes together."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        state = self.accelerator.gradient_state
        if batches and state.end_of_dataloader and state.remainder > 0:
            # The last batches of all processes hold `remainder` pairs in order of their ranks;
            # accelerate fills them up with pairs from the start.
            kinds = batches[-1]["kind"]
            position = self.accelerator.process_index * len(kinds) + torch.arange(len(kinds))
            kinds[(position >= state.remainder).to(kinds.device)] = REPEATED
        count = sum(int((batch["kind"] != REPEATED).sum()) for batch in batches)
        return batches, self.accelerator.gather(torch.tensor([count], device=device)).sum()

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False,
                     num_items_in_batch: Any = None) -> Any:  # fmt: skip
        """Mean of weight · loss over the step, or over the batch if the step is unknown."""
        margin, kind, weight = (inputs[name] for name in _COLUMNS)
        inputs = {name: value for name, value in inputs.items() if name not in _COLUMNS}
        chosen, rejected, outputs = self._rewards(model, inputs)
        losses = -F.logsigmoid(chosen - rejected - margin)
        self._record(torch.stack([losses, chosen, rejected, margin, kind.float()], 1).detach())
        pairs = len(losses)
        if num_items_in_batch is not None:  # the processes' gradients are averaged, not added
            pairs = num_items_in_batch / self.accelerator.num_processes
        loss = (losses * weight * (kind != REPEATED)).sum() / pairs
        return (loss, outputs) if return_outputs else loss

    def _rewards(self, model: Any, inputs: Batch) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """β · log-ratio of the chosen and of the rejected texts, each of shape (pairs,)."""
        if self.precompute_ref_logps:
            reference = inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]
        else:
            reference = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
        given = {name: value for name, value in inputs.items() if name not in _NOT_FOR_MODEL}
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        outputs = model(**given, labels=labels, use_cache=False, fused_lm_head=True)
        policy = outputs.log_probs.sum(dim=1).chunk(2)
        chosen, rejected = (self.beta * (p - r) for p, r in zip(policy, reference, strict=True))
        return chosen, rejected, outputs

    def _record(self, values: torch.Tensor) -> None:
        """Log means over pairs. `values`, a row a pair: loss, two rewards, margin, kind."""
        train = self.model.training
        gather = self.accelerator.gather if train else self.accelerator.gather_for_metrics
        metrics = self._metrics["train" if train else "eval"]
        for loss, chosen, rejected, margin, kind in gather(values).tolist():
            if kind != REPEATED:
                name, gap = KINDS[int(kind)], chosen - rejected
                metrics["rewards/chosen"].append(chosen)
                metrics["rewards/rejected"].append(rejected)
                metrics["rewards/margins"].append(gap)
                metrics["rewards/accuracies"].append(float(gap > 0))
                metrics["margin_met"].append(float(gap > margin))
                metrics[f"loss/{name}"].append(loss)
                metrics[f"accuracy/{name}"].append(float(gap > 0))


def _collate(collate: Callable[[list[Batch]], Batch], rows: list[Batch]) -> Batch:
    given = {"kind": [KINDS.index(row["kind"]) for row in rows]}
    given |= {name: [row[name] for row in rows] for name in ("margin", "weight")}
    return {**collate(rows), **{name: torch.tensor(given[name]) for name in _COLUMNS}}
