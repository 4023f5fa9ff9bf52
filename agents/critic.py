"""The critic: what is wrong with a response, by the image (FGAM section 3.3.2).

The rectifier asks it after every response, and as a reward it judges what a policy generates.
"""

from __future__ import annotations

from agents.base import AgentContext
from backends.base import ImageInput
from schemas.trajectory import CriticInput, Feedback

STEP = "critic"


async def critique(
    item: CriticInput,
    images: tuple[ImageInput, ...],
    context: AgentContext,
    step: str = STEP,
) -> Feedback:
    """What the backend of `step` says of one response, under the critic's prompt.

    A second judge on the critic's own backend gets the critic's answers from the cache. Raises
    ToolkitError when no valid feedback could be had.
    """
    request = context.request(STEP, item, backend_of=step)
    asked = request.model_copy(update={"images": images})
    return (await context.send(step, asked, Feedback)).value
