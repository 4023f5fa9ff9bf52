"""Where the review of a run stands: who decided what, what comes next, and how well they agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from math import floor
from pathlib import Path
from typing import Any, NamedTuple

from pages.review_files import ReviewFile
from pages.review_log import ReviewLog
from runtime.reviews import Decisions
from schemas.config import MAX_ENTROPY
from schemas.review import Decision, Review
from scoring.agreement import (
    Agreement,
    Share,
    ThresholdPoint,
    cohens_kappa,
    share,
    threshold_curve,
)

_MARKS: dict[Decision | None, int] = {None: 0, "accept": 1, "reject": 2}
THRESHOLDS = [number / 1000 for number in range(floor(MAX_ENTROPY * 1000) + 1)]
"""What the slider can be set to."""


class Stats(NamedTuple):
    """What is known of a file so far."""

    judged: int
    mine: Share
    together: Share
    """Items that somebody accepted and nobody rejected, of those that anybody judged."""
    reviewers: int
    agreements: dict[str, Agreement]
    """Of this reviewer with each other one."""


class Board:
    """The files of a run with all decisions on them, kept up to date with `reviews.jsonl`."""

    def __init__(self, folder: Path, files: Mapping[str, ReviewFile]) -> None:
        """Raises ToolkitError("input") for a bad line, and where nothing can be written."""
        self.files = files
        self._log = ReviewLog(folder)
        self._decisions = Decisions()
        self._marks: dict[str, dict[str, bytearray]] = {name: {} for name in files}
        self._history: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self.refresh()

    def refresh(self) -> None:
        """Take in what others have added. Raises ToolkitError("input") for a bad line."""
        for review in self._log.fresh():
            self._decisions.add(review)
            file = self.files.get(review.file)
            number = file.places.get(review.id) if file else None
            if file is None or number is None:
                continue
            if review.item_sha256 == file.sha256(number):  # else the item was another one
                self._note(file, number, review)

    def _note(self, file: ReviewFile, number: int, review: Review) -> None:
        history = self._history[file.name, review.reviewer]
        if not review.undo:
            history.append(number)
        elif number in history:
            del history[len(history) - 1 - history[::-1].index(number)]
        said = self._decisions.of(file.name, review.id, file.sha256(number))
        stands = said.get(review.reviewer)
        marks = self._marks[file.name].setdefault(review.reviewer, bytearray(len(file)))
        marks[number] = _MARKS[stands.decision if stands else None]

    def said(self, file: str, number: int) -> dict[str, Review]:
        """Each reviewer's decision on an item."""
        one = self.files[file]
        identifier = one.read(number).item.id
        return self._decisions.of(file, identifier, one.sha256(number))

    def decide(
        self,
        file: str,
        number: int,
        reviewer: str,
        decision: Decision,
        reason: str = "",
        edited: Any = None,
    ) -> None:
        """Write a decision down. Raises ToolkitError("input") when that is not possible."""
        self._write(file, number, reviewer, decision=decision, reason=reason, edited=edited)

    def undo(self, file: str, reviewer: str) -> int | None:
        """Take back this reviewer's latest decision; the item's number, None if there is none.

        Raises ToolkitError("input") when that cannot be written.
        """
        history = self._history[file, reviewer]
        if not history:
            return None
        number = history[-1]
        self._write(file, number, reviewer, undo=True)
        return number

    def _write(self, file: str, number: int, reviewer: str, **what: Any) -> None:
        one = self.files[file]
        review = Review(
            file=file,
            id=one.read(number).item.id,
            reviewer=reviewer,
            at=datetime.now(UTC).replace(microsecond=0),
            item_sha256=one.sha256(number),
            **what,
        )
        self._log.append(review)
        self.refresh()

    def next_open(self, file: str, reviewer: str, start: int = 0) -> int | None:
        """The first item from `start` on, or else from 0, that the reviewer has not judged."""
        marks = self._mine(file, reviewer)
        found = marks.find(0, start)
        if found < 0:
            found = marks.find(0)
        return None if found < 0 else found

    def reviewers(self) -> list[str]:
        """Everybody who has judged anything."""
        return sorted({name for marks in self._marks.values() for name in marks})

    def stats(self, file: str, reviewer: str) -> Stats:
        """The accept rates and agreements of a file."""
        mine, all_marks = self._mine(file, reviewer), self._marks[file]
        accepted = {name: marks.count(1) for name, marks in all_marks.items()}
        judged = {name: len(marks) - marks.count(0) for name, marks in all_marks.items()}
        together = Counter(zip(*all_marks.values(), strict=True))
        agreements = {
            name: cohens_kappa(
                {
                    (one == 1, other == 1): number
                    for (one, other), number in Counter(zip(mine, marks, strict=True)).items()
                    if one and other
                }
            )
            for name, marks in sorted(all_marks.items())
            if name != reviewer
        }
        return Stats(
            judged=judged.get(reviewer, 0),
            mine=share(accepted.get(reviewer, 0), judged.get(reviewer, 0)),
            together=share(
                sum(number for said, number in together.items() if any(said) and 2 not in said),
                sum(number for said, number in together.items() if any(said)),
            ),
            reviewers=sum(number > 0 for number in judged.values()),
            agreements={name: one for name, one in agreements.items() if one.items},
        )

    def curve(self, file: str) -> list[ThresholdPoint]:
        """What each threshold keeps of the judged verdicts; good is what nobody rejected."""
        marks = self._marks[file].values()
        scores = self.files[file].scores
        judged = [
            (scores[number], 2 not in said)
            for number, said in enumerate(zip(*marks, strict=True))
            if any(said)
        ]
        return threshold_curve(judged, THRESHOLDS)

    def _mine(self, file: str, reviewer: str) -> bytearray:
        return self._marks[file].get(reviewer) or bytearray(len(self.files[file]))
