"""Region texts by rules: the template's, which needs no model (FGAM section 3.2.1)."""

from __future__ import annotations

from schemas.region_writing import RegionTextAnswer, RegionWriterInput, WrittenText


def write(item: RegionWriterInput) -> RegionTextAnswer:
    """The draft of each region."""
    texts = (
        WrittenText(region=place, text=region.draft) for place, region in enumerate(item.regions)
    )
    return RegionTextAnswer(texts=tuple(texts))
