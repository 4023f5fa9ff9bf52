"""The texts of the rectification loop (FGAM section 3.3.3).

In the loop a system message explains them; a model that is trained on them needs no explanation.
"""

from __future__ import annotations

from schemas.trajectory import Feedback

REVISED = "Assistant (Revised):"


def first_prompt(question: str, caption: str | None) -> str:
    """The question; a caption stands in for the image where there is none."""
    return question if caption is None else f"Description of the image: {caption}\n\n{question}"


def augmented_prompt(question: str, response: str, feedback: Feedback, caption: str | None) -> str:
    """The question, the former response and what is wrong with it, as one text."""
    return (
        f"User: {first_prompt(question, caption)}\n"
        f"Assistant: {response}\n"
        f"Feedback: {remarks(feedback)}\n"
        f"{REVISED}"
    )


def remarks(feedback: Feedback) -> str:
    """The issues in words, numbered where there are several."""
    said = [f"{issue.evidence} {issue.instruction}" for issue in feedback.issues]
    if len(said) == 1:
        return said[0]
    return "\n".join(f"{number}. {remark}" for number, remark in enumerate(said, 1))


def revised_text(answer: str) -> str:
    """A model's answer without the last words of its prompt, which some repeat first."""
    return answer.strip().removeprefix(REVISED).strip()
