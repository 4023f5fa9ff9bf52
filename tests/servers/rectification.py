"""Stand-ins for a model that invents sentences, and for a critic that knows the image's caption."""

from __future__ import annotations

import json
import re
import zlib

INVENTED = ("A unicorn stands behind it.", "A piano is on the left.", "An anchor lies in front.")
_SENTENCES = re.compile(r"[^.]+\.")
_REMARK = re.compile(r'^Feedback: .*?Remove "(.*?)"\.', re.MULTILINE)
_RESPONSE = re.compile(r"^Assistant: (.*?)\nFeedback: ", re.MULTILINE | re.DOTALL)


def describe(caption: str, question: str) -> str:
    """The caption and none to three invented sentences, always the same for the same question."""
    return " ".join([caption, *INVENTED[: zlib.crc32(question.encode()) % 4]])


def criticise(caption: str, response: str) -> str:
    """An issue for each sentence that is not in the caption."""
    said = [sentence.strip() for sentence in _SENTENCES.findall(response)]
    wrong = [sentence for sentence in said if sentence not in caption]
    issues = [
        {"kind": "object", "evidence": "The image does not show it.",
         "instruction": f'Remove "{sentence}".'}
        for sentence in wrong
    ]  # fmt: skip
    share = 1 - len(wrong) / len(said) if said else 0.0
    return json.dumps({"issues": issues, "needs_revision": bool(wrong), "consistency": share})


def revise(prompt: str) -> str:
    """The former response without what the first remark asks to remove: one thing a step."""
    response, remark = _RESPONSE.search(prompt), _REMARK.search(prompt)
    if response is None or remark is None:
        raise ValueError("not an augmented prompt")
    return " ".join(response.group(1).replace(remark.group(1), "").split())
