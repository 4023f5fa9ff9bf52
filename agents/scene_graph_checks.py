"""Mechanical checks of a scene graph against its caption: support, and what is left of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from backends.rules.grammar import singular
from schemas.scene_graph import Element, Relation, SceneGraphAnswer, SceneObject

_WORD = re.compile(r"[a-z0-9]+")


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_FUNCTION = _words(
    "a an the with of and or its his her their it them is are be been being that which who whose",
    "to at as no not some one two three four several own this these those both each",
)
_FRAME = _words(
    "color colour size shape posture pose state surface build look appearance expression pattern",
    "texture finish material style design height length width thickness age gender position",
    "condition motion having direction",
)
_FRAME_START = re.compile(r"^(made of|(covered|clad) in|(capped|lined|filled|topped) with)\b")
_SAME = (
    _words("in inside within into"), _words("on onto upon atop top"), _words("above over"),
    _words("next beside near alongside by adjacent close"), _words("toward towards to"),
    _words("under beneath below underneath"), _words("through across"), _words("behind beyond"),
    _words("around surround"), _words("wear dress clad in with"), _words("gray grey"),
    _words("hold carry grip clutch"), _words("look gaze stare face"), _words("sit seat"),
    _words("lie lay rest recline"), _words("have with feature"), _words("tv television"),
    _words("front ahead"),
)  # fmt: skip
_IRREGULAR = {
    "sat": "sit", "stood": "stand", "lying": "lie", "lain": "lie", "held": "hold", "worn": "wear",
    "wore": "wear", "ridden": "ride", "rode": "ride", "hung": "hang", "built": "build",
    "bent": "bend", "broken": "break", "driven": "drive", "flown": "fly", "grown": "grow",
    "eaten": "eat", "frozen": "freeze", "hidden": "hide", "thrown": "throw", "shown": "show",
    "drawn": "draw", "written": "write", "woven": "weave", "torn": "tear", "kept": "keep",
    "caught": "catch", "dying": "die", "tying": "tie", "better": "good", "people": "person",
}  # fmt: skip


@lru_cache(maxsize=65536)
def _lemmas(word: str) -> frozenset[str]:
    """What a lower-case word may be a form of, words of the same meaning included."""
    base = _IRREGULAR.get(word, word)
    found = {word, base, singular(word)}
    for ending in ("ing", "ed", "en", "es", "er", "est", "ly", "y", "d", "s", "n"):
        if base.endswith(ending) and len(base) - len(ending) >= 3:
            stem = base.removesuffix(ending)
            found |= {stem, f"{stem}e", f"{stem}y"}
            if stem[-1:] == stem[-2:-1]:
                found.add(stem[:-1])
            if stem.endswith("i"):
                found.add(f"{stem[:-1]}y")
    return frozenset(found.union(*(group for group in _SAME if found & group)))


def unsupported_words(text: str, caption: str) -> list[str]:
    """Words of an element that the caption has in no form; function and frame words are free.

    "a dark green color" is supported by "dark green door", for "color" only names what "green" is.
    """
    said = _caption_lemmas(caption)
    own = _FRAME_START.sub("", text.lower())
    words = [word for word in _WORD.findall(own) if word not in _FUNCTION]
    return [word for word in words if word not in _FRAME and not _lemmas(word) & said]


@lru_cache(maxsize=512)
def _caption_lemmas(caption: str) -> frozenset[str]:
    return frozenset[str]().union(*(_lemmas(word) for word in _WORD.findall(caption.lower())))


def unsupported(element: Element, caption: str) -> str | None:
    """Why an element is not supported by its caption; None if it is."""
    words = unsupported_words(element.text, caption)
    if not words:
        return None
    return f'{element.kind} "{element.text}": the caption has no {", ".join(map(repr, words))}'


def prune(
    answer: SceneGraphAnswer, keep: Callable[[str, int, int | None], bool]
) -> SceneGraphAnswer:
    """The elements that `keep(kind, index, attribute)` wants.

    An object goes with its attributes and relations.
    """
    kept = [index for index in range(len(answer.objects)) if keep("object", index, None)]
    number = {old: new for new, old in enumerate(kept)}
    objects = tuple(
        SceneObject(
            name=answer.objects[index].name,
            attributes=tuple(
                text for place, text in enumerate(answer.objects[index].attributes)
                if keep("attribute", index, place)
            ),
        )
        for index in kept
    )  # fmt: skip
    relations = tuple(
        Relation(subject=number[r.subject], relation=r.relation, object=number[r.object])
        for index, r in enumerate(answer.relations)
        if keep("relation", index, None) and r.subject in number and r.object in number
    )
    return SceneGraphAnswer(objects=objects, relations=relations)
