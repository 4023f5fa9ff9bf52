"""Region writer: captioned images → boxes with texts of their own (FGAM section 3.2.1).

`python -m agents.region_writer captions.jsonl --output DIR` looks for what each caption names with
Grounding DINO, or takes the boxes of `--boxes`, and writes `regions.jsonl`. Each text is written
from the caption, the box's label and its place. A text that is refused is asked for once more with
the reason; what is refused again is written by a template.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from agents.base import Agent, AgentContext, gather
from agents.caption_parser import CaptionParser
from agents.command import AgentCommand, Flags, Results, relocate
from agents.region_draft import best_draft
from agents.region_layout import layouts
from agents.region_rows import Boxes, captioned
from agents.region_texts import BY_TEMPLATE, REFUSED, write_texts
from backends.detectors import DEFAULT_MODEL, MIN_SCORE, Detector, GroundingDino, clipped
from backends.images import readable_image
from backends.rules.grammar import singular
from runtime.command_line import CommandOptions, share
from runtime.errors import ToolkitError
from runtime.files import InputFile, read_placed, refuse_inside
from runtime.sources import Place
from schemas.config import Config
from schemas.region import RegionText
from schemas.region_writing import CaptionedImage, CaptionRow, ImageRegions, RegionQuestion
from schemas.scene_graph import CaptionRecord, SceneGraph

_A_CALL = 20


class RegionWriter(Agent[CaptionedImage, ImageRegions]):
    """Finds the regions of an image, unless it comes with boxes, and writes a text for each."""

    name = "region_writer"
    steps = ("region_writer", "caption_parser")

    def __init__(
        self,
        detector: Detector | None = None,
        boxes: Boxes | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.detector, self.boxes, self.settings = detector, boxes, settings or {}

    def check(self) -> None:
        """Load the detector. Raises ToolkitError when it cannot be loaded."""
        if self.detector is not None:
            self.detector.load()

    async def run(self, item: CaptionedImage, context: AgentContext) -> ImageRegions:
        """The regions of one image; none where nothing was found.

        Raises ToolkitError, of kind "image" when the image cannot be read or a box is not in it.
        """
        path = Path((await context.image(item.image)).path)
        graphs = await gather(_graph(row, context) for row in item.captions)
        found, size = await asyncio.to_thread(self._find, item, path, graphs)
        questions = [
            RegionQuestion(
                label=region.text,
                draft=best_draft(region.text, layout, graphs),
                position=layout.position,
                size=layout.size,
                of=layout.of,
                where=layout.where,
                near=layout.near,
            )
            for region, layout in zip(found, layouts(found, *size), strict=True)
        ]
        chunks = [questions[start : start + _A_CALL] for start in range(0, len(found), _A_CALL)]
        written = await gather(write_texts(chunk, item.caption, context) for chunk in chunks)
        texts = [text for chunk in written for text in chunk]
        regions = (
            region.model_copy(update={"text": text})
            for region, text in zip(found, texts, strict=True)
        )
        return ImageRegions(id=item.id, regions=tuple(regions))

    def estimate(self, item: CaptionedImage) -> dict[str, int]:
        """A call for 20 regions and one to correct; a detector's regions are taken for 20."""
        calls = 1 if item.boxes is None else -(-len(item.boxes) // _A_CALL)
        return {
            "region_writer": 2 * calls,
            "caption_parser": sum(map(_parser_calls, item.captions)),
        }

    def _find(
        self, item: CaptionedImage, path: Path, graphs: Sequence[SceneGraph]
    ) -> tuple[list[RegionText], tuple[int, int]]:
        """Regions with their labels as texts, and the size of the image in pixels."""
        with readable_image(path) as opened:
            size = opened.size
        if item.boxes is not None:
            return [_inside(region, *size, path) for region in item.boxes], size
        if self.detector is None:
            message = f"{item.id}: has no boxes, and there is no detector"
            raise ToolkitError("config", message, "choose one with --detector")
        labels = dict.fromkeys(singular(one.name) for graph in graphs for one in graph.objects)
        found = self.detector.detect(path, list(labels))
        name = self.detector.name
        regions = [
            RegionText(image=item.image, box=one.box, text=one.label, source=name) for one in found
        ]
        return regions, size


async def _graph(row: CaptionRow, context: AgentContext) -> SceneGraph:
    """What a caption names; no objects where it names none."""
    if row.objects:
        return row
    try:
        return await CaptionParser().run(_caption(row), context)
    except ToolkitError as error:
        if error.kind != "semantic":
            raise
        return row


def _parser_calls(row: CaptionRow) -> int:
    return 0 if row.objects else CaptionParser().estimate(_caption(row))["caption_parser"]


def _caption(row: CaptionRow) -> CaptionRecord:
    return CaptionRecord(id=row.id, image=row.image, caption=row.caption)


def _inside(region: RegionText, width: int, height: int, path: Path) -> RegionText:
    box = clipped(region.box, width, height)
    if box is None:
        message = f"{path}: box {list(region.box)} is not in the image of {width} x {height} pixels"
        raise ToolkitError(
            "image", message, "give boxes in pixels of this image, or remove the row"
        )
    return region.model_copy(update={"box": box})


@dataclass(frozen=True)
class _RegionWriting(AgentCommand[CaptionedImage, ImageRegions]):
    """An agent command whose unit of work is an image: rows of one image that stand together."""

    def units(
        self, rows: Iterable[tuple[CaptionRow, Path]], target: Path
    ) -> Iterator[CaptionedImage]:
        boxes = self.agent.boxes if isinstance(self.agent, RegionWriter) else None
        for (folder, image), group in groupby(rows, key=lambda one: (one[1], one[0].image)):
            own = boxes.of(image, folder) if boxes is not None else None
            captions = [row for row, _ in group]
            yield captioned(captions, relocate(image, folder, target), own)

    def validate(self, options: CommandOptions) -> InputFile:
        if boxes := options.own.boxes:
            refuse_inside(boxes, str(boxes), options.output)
        source = super().validate(options)
        places: dict[tuple[Path, str], Place] = {}
        rows = read_placed(options.input, CaptionRow, limit=options.limit)
        for image, group in groupby(rows, key=_image):
            place, _ = next(group)
            if image in places:
                first = places[image].seen_from(place)
                message = f"{place}: image: {image[1]!r} was already used in {first}"
                raise ToolkitError("input", message, "put the captions of an image together")
            places[image] = place
        return source


def _image(placed: tuple[Place, CaptionRow]) -> tuple[Path, str]:
    """An image is its name and the folder of the file that names it."""
    place, row = placed
    return place.shard.path.parent, row.image


def write_regions(results: Results) -> Iterator[str]:
    """Write `regions.jsonl`; yield how many there are and who wrote their texts."""
    from agents.execute import in_words, write_rejected
    from runtime.files import write_jsonl

    counts: Counter[str] = Counter()

    def rows() -> Iterator[RegionText]:
        for outcome in results.outcomes():
            counts.update({n: int(outcome.usage.get(n, 0)) for n in (REFUSED, BY_TEMPLATE)})
            if outcome.value is not None:
                found = ImageRegions.model_validate(outcome.value).regions
                counts["images" if found else "empty"] += 1
                yield from found

    regions = write_jsonl(results.directory / "regions.jsonl", rows())
    rejected = write_rejected(results)
    reasons = in_words(rejected)
    yield (
        f"{regions:,} regions of {counts['images']:,} images in regions.jsonl; images without any: "
        f"{counts['empty']:,}; texts refused: {counts[REFUSED]:,}, of these written by template: "
        f"{counts[BY_TEMPLATE]:,}; rejected: {reasons or 'none'}"
    )


def _add_flags(parser: ArgumentParser) -> None:
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--boxes", metavar="FILE", type=Path,
        help="boxes that are there already: regions.jsonl with labels as texts")  # fmt: skip
    either.add_argument("--detector", metavar="MODEL", default=DEFAULT_MODEL,
        help="a Grounding DINO of the Hub or of a folder (default: %(default)s)")  # fmt: skip
    parser.add_argument("--min-score", metavar="X", type=share,
        help=f"leave out what the detector is less sure of (default: {MIN_SCORE})")  # fmt: skip


def _agent(own: Namespace, _: Config) -> RegionWriter:
    if own.boxes and own.min_score is not None:
        message = "--min-score: not allowed with argument --boxes"
        raise ToolkitError("input", message, "given boxes have no score: leave the flag out")
    if own.boxes:
        boxes = Boxes(own.boxes)
        return RegionWriter(boxes=boxes, settings={"boxes": boxes.sha256})
    min_score = MIN_SCORE if own.min_score is None else own.min_score
    settings = {"detector": own.detector, "min_score": min_score}
    return RegionWriter(GroundingDino(own.detector, min_score), settings=settings)


COMMAND = _RegionWriting(
    RegionWriter(),
    "agents.region_writer",
    "Write region-text pairs from captions, with a detector's boxes or given ones.",
    CaptionRow,
    lambda row, source, target: (),  # not a row, but an image is a unit: see `units`
    ("regions.jsonl",),
    write_regions,
    Flags(_add_flags, _agent),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    return COMMAND.main(argv)


if __name__ == "__main__":
    sys.exit(main())
