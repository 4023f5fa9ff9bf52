"""Runs an agent command: process what has no outcome yet, write the files, say what it cost."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic

from agents.base import In, Out, mean_latency
from agents.command import AgentCommand, Results, relocate
from agents.rounds import BatchRounds, require_batches, warn_of_batches
from agents.worker import Worker
from backends.base import TokenUsage, schema_digest
from backends.batch_store import FILES
from backends.cache import cache_folder, open_cache
from backends.registry import Backends
from backends.usage import UsageMeter
from prompts import has_prompt, load_prompt
from runtime.command_line import CommandOptions
from runtime.errors import EXIT_PENDING, ToolkitError
from runtime.files import InputFile, refuse_inside, write_jsonl
from runtime.manifest import Execution as ExecutionNote
from runtime.manifest import build_manifest, write_manifest
from runtime.progress import CallSnapshot, Progress
from runtime.runner import RunPolicy, RunSummary, run_agent
from runtime.spend import SPEND, SpendLedger
from runtime.store import Outcome, OutcomeStore, Tally
from schemas.config import Config, LiteLLMConfig

# Profile fields that change how fast or at what price an answer comes, never the answer.
_NOT_IN_FINGERPRINT = {
    "max_parallel", "rpm", "tpm", "timeout_s", "dead_after_s", "price", "batch_price", "api_base",
    "api_key_env", "threads",
}  # fmt: skip


class Execution(Generic[In, Out]):
    """One execution of a command on one output directory."""

    def __init__(
        self,
        command: AgentCommand[In, Out],
        options: CommandOptions,
        config: Config,
        source: InputFile,
        argv: Sequence[str],
    ) -> None:
        self.command, self.options, self.config = command, options, config
        self.source, self.argv = source, argv
        self.started = datetime.now(UTC)

    def run(self) -> int:
        """Process, write, report; returns the exit code.

        That is 75 while batches are under way. Raises ToolkitError when the run must stop.
        """
        options = self.options
        for shard in options.input.shards:
            refuse_inside(shard.path, shard.name, options.output)
        # Before the directory is claimed: what a cure changes may be part of the run's identity.
        asyncio.run(self._check())
        store = OutcomeStore(
            options.output,
            self._fingerprint(),
            outputs=[*self.command.outputs, "rejected.jsonl", "manifest.json", SPEND, *FILES],
            overwrite=options.overwrite,
            retry_rejected=options.retry_rejected,
        )
        with store, SpendLedger(options.output) as ledger:
            summary = self._process(store, ledger)
            if summary.pending:
                return EXIT_PENDING
            self._write(store, summary, ledger)
        return 0

    def _ids(self) -> Iterator[str]:
        return (item.id for item in self.command.work(self.options))

    def _fingerprint(self) -> dict[str, Any]:
        """All that can change a result."""
        settings, folders = self.command.agent.settings, self._input_folders()
        return {
            "agent": self.command.agent.name,
            "input": self.source.sha256,
            **({"input_folders": folders} if folders else {}),
            "seed": self.config.run.seed,
            "backends": {
                step: self.config.backend(step).model_dump(mode="json", exclude=_NOT_IN_FINGERPRINT)
                for step in self.command.agent.steps
            },
            "prompts": self._prompts(),
            **({"settings": dict(settings)} if settings else {}),
        }

    def _input_folders(self) -> list[str]:
        """As seen from the output: outcomes have paths of images that are right from there only."""
        local = {shard.path.parent for shard in self.options.input.shards if not shard.remote}
        return sorted({relocate(".", folder, self.options.output) for folder in local})

    def _prompts(self) -> dict[str, dict[str, str]]:
        agent = self.command.agent
        names = dict.fromkeys((*agent.steps, agent.name))
        folder = self.config.prompts
        prompts = [load_prompt(name, folder) for name in names if has_prompt(name)]
        return {p.id: {"version": p.version, "sha256": p.digest} for p in prompts}

    async def _check(self) -> None:
        async with Backends(self.config, open_cache(self.config.run.cache), UsageMeter()) as found:
            if self.options.batch:
                require_batches(self.config, self.command.agent.steps, self.options.engine)
            await found.check(self.command.agent.steps, self.command.agent.needs)
        await asyncio.to_thread(self.command.agent.check)

    def _process(self, store: OutcomeStore, ledger: SpendLedger) -> RunSummary:
        total, earlier, spent = self._before(store)
        if not ledger.is_new:
            spent = ledger.cost_usd

        def pay(backend: str, paid: TokenUsage, answers: int) -> None:
            tokens = paid.prompt_tokens, paid.completion_tokens
            ledger.add(backend, *tokens, paid.cost_usd, answers)

        meter = UsageMeter(self.config.run.budget_usd, spent, pay)
        policy = RunPolicy(self.options.concurrency, self.config.run.max_error_rate)
        worker = self._worker(meter)

        def snapshot() -> CallSnapshot:
            used = meter.total
            return CallSnapshot(used.calls, used.cached, ledger.tokens, meter.spent_usd)

        title, budget = self.command.agent.name, self.config.run.budget_usd
        with Progress(title, total, snapshot, earlier=earlier, budget_usd=budget) as progress:
            if self.options.engine == "local":
                return asyncio.run(self._here(worker, store, policy, progress))
            return self._on_ray(worker, store, policy, progress, total)

    def _worker(self, meter: UsageMeter) -> Worker[In, Out]:
        downloads = None
        if self.options.allow_remote_images:
            downloads = cache_folder(self.config.run.cache) / "images"
        return Worker(self.command.agent, self.config, meter, self.options.output, downloads)

    def _before(self, store: OutcomeStore) -> tuple[int, int, float]:
        """How many records there are, for how many of them earlier sessions left an outcome, and
        the US dollars they spent on these."""
        total, earlier, spent = 0, 0, 0.0
        for identifier in self._ids():
            total += 1
            if outcome := store.get(identifier):
                earlier += 1
                spent += outcome.usage.get("cost_usd", 0.0)
        return total, earlier, spent

    async def _here(
        self, worker: Worker[In, Out], store: OutcomeStore, policy: RunPolicy, progress: Progress
    ) -> RunSummary:
        rounds = BatchRounds(self.options.output, worker.meter) if self.options.batch else None
        if rounds is None:
            warn_of_batches(self.options.output)
        worker.batches = rounds.batches if rounds else None
        async with worker:
            if rounds and not await rounds.begin(worker.backends, self.command.agent.steps):
                return RunSummary(pending=1)
            summary = await run_agent(
                worker.process,
                self.command.work(self.options),
                store,
                policy,
                progress.update,
                worker.usage,
            )
            if rounds:
                await rounds.end(summary.pending)
            return summary

    def _on_ray(
        self,
        worker: Worker[In, Out],
        store: OutcomeStore,
        policy: RunPolicy,
        progress: Progress,
        total: int,
    ) -> RunSummary:
        from runtime.ray_engine import run_on_ray

        steps = self.command.agent.steps
        paid_to = ", ".join(sorted({self.config.backend_name(step) for step in steps}))

        def received(outcome: Outcome, summary: RunSummary) -> None:
            worker.meter.add(outcome.usage)
            answers = int(outcome.usage.get("answers", 0))
            if worker.meter.pay and answers:
                worker.meter.pay(paid_to, TokenUsage.model_validate(_tokens(outcome)), answers)
            progress.update(summary)
            if summary.finished < total:
                worker.meter.check_budget()

        progress.update(RunSummary())  # rates are counted from here, not from the first block
        work = self.command.work
        return run_on_ray(worker, lambda: work(self.options), store, policy, received)

    def _write(self, store: OutcomeStore, summary: RunSummary, ledger: SpendLedger) -> None:
        def outcomes() -> Iterator[Outcome]:
            return store.iterate_in_order(self._ids())

        directory = self.options.output
        results = Results(
            directory,
            outcomes,
            self.config.run.seed,
            lambda: self.command.work(self.options),
            self.command.agent.settings,
        )
        lines = list(self.command.write(results))
        tally, totals, answers = _count(outcomes())
        # Not from the outcomes: see the ledger.
        for name in ("prompt_tokens", "completion_tokens", "cost_usd"):
            totals[name] = sum(getattr(spend, name) for spend in ledger.spends.values())
        manifest = build_manifest(
            agent=self.command.agent.name,
            config=self.config,
            seed=self.config.run.seed,
            settings=self.command.agent.settings,
            inputs=self.source.files,
            prompts=self._prompts(),
            schemas={self.command.row.__name__: schema_digest(self.command.row)},
            models=_models(answers),
            tally=tally,
            usage=answers,
            execution=self._note(summary, totals, ledger),
        )
        write_manifest(directory, manifest)
        seconds = manifest["execution"]["wall_seconds"]
        for line in [*lines, _cost_line(totals, seconds), f"wrote {directory}"]:
            print(line)
        self._check_failures(tally)

    def _check_failures(self, tally: Tally) -> None:
        """The runner's gate needs some records to judge by; here all of them are in."""
        failed = sum(tally.rejected.values())
        share = failed / (tally.done + failed)
        if share > self.config.run.max_error_rate:
            raise ToolkitError(
                "error_rate",
                f"{failed} of {tally.done + failed} records failed: see rejected.jsonl",
                "remove the cause and run again with --retry-rejected, or raise --max-error-rate",
            )

    def _note(
        self, summary: RunSummary, totals: Counter[str], ledger: SpendLedger
    ) -> ExecutionNote:
        return ExecutionNote(
            started=self.started,
            command=[self.command.module, *self.argv],
            resumed_records=summary.resumed,
            live_calls=totals["calls"],
            cached_calls=totals["cached"],
            retries=totals["retries"],
            prompt_tokens=totals["prompt_tokens"],
            completion_tokens=totals["completion_tokens"],
            cost_usd=totals["cost_usd"],
            latency_s=mean_latency(totals, self.command.agent.steps),
            spend={
                name: {**_account(self.config, name), **spend.model_dump()}
                for name, spend in ledger.spends.items()
            },
        )


def write_rejected(results: Results) -> dict[str, int]:
    """Write `rejected.jsonl`: every record that failed, with kind, reason and cure.

    Returns how many there are of each kind.
    """
    kinds: Counter[str] = Counter()

    def rows() -> Iterator[dict[str, Any]]:
        for outcome in results.outcomes():
            if outcome.failure:
                kinds[outcome.failure.kind] += 1
                yield {"id": outcome.id, **outcome.failure.model_dump(mode="json")}

    write_jsonl(results.directory / "rejected.jsonl", rows())
    return dict(sorted(kinds.items()))


def in_words(kinds: Mapping[str, int]) -> str:
    """`2 image, 1 schema`: how many records were rejected for what; empty where none was."""
    return ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())


def _account(config: Config, name: str) -> dict[str, str]:
    """Whom the money goes to: the model and the variable, never the value, of its key."""
    profile = config.backends.get(name)
    if not isinstance(profile, LiteLLMConfig):
        return {}
    from backends.litellm_driver import key_variables

    variables = key_variables(profile)
    used = next((v for v in variables if os.environ.get(v)), None)
    return {"model": profile.model} | ({"key": used} if used else {})


def _tokens(outcome: Outcome) -> dict[str, int | float]:
    return {name: outcome.usage.get(name, 0) for name in TokenUsage.model_fields}


def _count(outcomes: Iterator[Outcome]) -> tuple[Tally, Counter[str], dict[str, int]]:
    """How the records ended, all usage, and its part that a killed and continued run counts alike.

    That part is of the records with a value.
    """
    done, kinds = 0, Counter[str]()
    totals, answers = Counter[str](), Counter[str]()
    for outcome in outcomes:
        totals.update(outcome.usage)
        if outcome.failure:
            kinds[outcome.failure.kind] += 1
        else:
            done += 1
            kept = {n: int(v) for n, v in outcome.usage.items() if n == "requests" or " " in n}
            answers.update(kept)
    return Tally(done, dict(sorted(kinds.items()))), totals, dict(+answers)


def _models(answers: Mapping[str, int]) -> dict[str, list[str]]:
    models: dict[str, list[str]] = {}
    for name in answers:
        if name.startswith("answers "):
            _, backend, model = name.split(" ", 2)
            models.setdefault(backend, []).append(model)
    return models


def _cost_line(totals: Counter[str], seconds: float) -> str:
    tokens = totals["prompt_tokens"] + totals["completion_tokens"]
    return (
        f"{totals['calls']:,} model calls, {totals['cached']:,} more from the cache, "
        f"{tokens:,} tokens, ${totals['cost_usd']:.4f}, {seconds:.1f} s"
    )
