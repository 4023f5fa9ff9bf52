"""Negatives of attributes: the telling word is replaced, the rest of the phrase is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

from backends.rules.grammar import article, plural
from backends.rules.negatives_attributes import (
    SHADES,
    all_hues,
    axes,
    form,
    hues,
    material,
    poles,
    scales_of,
)
from backends.rules.negatives_objects import object_choices
from backends.rules.negatives_words import (
    ARTICLES,
    PREPOSITIONS,
    belongs,
    category,
    head,
    is_listed,
    is_plural,
    shuffled,
    table,
    with_article,
    words,
)

Seed = Sequence[object]

_OF_FUR = ("color", "colour", "markings", "patches", "spots", "face", "body")


def attribute_choices(text: str, subject: str, seed: Seed) -> Iterator[str]:
    """Phrases of the same form, the surest first; most of them exclude `text`."""
    makers = {"own": _body, "doing": _doing}
    if form(text).kind == "done" and form(text).lead != "made":
        makers["done"] = _done
    if form(text).head == "position" or " position " in f" {text} ":
        yield from _positions(text, seed)
        return
    made = makers.get(form(text).kind)
    if made is None or _color_span(text):
        yield from _numbers(text, seed)
        yield from _replaced(text, subject, seed)
    if made is not None:
        yield from made(text, subject, seed)
    bare = len([word for word in words(text) if word not in ARTICLES]) == 1
    telling = form(text).described or scales_of(form(text).head, "")
    if form(text).kind == "noun" and (bare or not telling):
        yield from _nouns(text, seed)


def _positions(text: str, seed: Seed) -> Iterator[str]:
    """Other parts of the image, by the first axis that the phrase speaks of."""
    start = re.split(r"(?<=position)\b", text, maxsplit=1)[0]
    said = axes(words(text))
    for places, (_, offers) in zip(said, table("phrases")["positions"].items(), strict=True):
        for place in sorted(places):
            yield from (f"{start} {where}" for where in shuffled(offers[place], seed))


def _body(text: str, subject: str, seed: Seed) -> Iterator[str]:
    """Another state of a part of the body: "its head resting on the ground"."""
    lead, part, rest = text.lower().partition(form(text).lead)
    owner = lead.split()[0]
    states = table("phrases")["body"].get(form(text).head) or table("phrases")["body"][""]
    said = set(words(rest))
    others = [state["say"] for state in states if not said.intersection(state["if"])]
    spare = [state["say"] for state in table("phrases")["body"][""]
             if not said.intersection(state["if"])]  # fmt: skip
    possessive = owner if owner in ("its", "his", "her", "their") else "the"
    for state in (*shuffled(chain(*others), seed), *shuffled(chain(*spare), seed)):
        yield f"{lead}{part} {state.replace('{p}', possessive)}"


def _doing(text: str, subject: str, seed: Seed) -> Iterator[str]:
    """Another posture in the same place, then other things to do."""
    verb, _, rest = text.partition(" ")
    target = re.split(r"\b(?:at|towards?|into|facing|looking)\b ", text)[-1]
    if poles("posture", verb) and rest.partition(" ")[0] in PREPOSITIONS:
        others = ("standing", "sitting", "lying", "jumping", "kneeling", "walking")
        yield from (f"{other} {rest}" for other in shuffled(others, seed))
    animal, animate = (belongs(subject, [name]) for name in ("animal", "animate"))
    for entry in table("phrases")["doing"]:
        towards = not {"down", "up", "away", "off", "out"}.intersection(words(text))
        if (entry["if"] and verb not in entry["if"]) or entry.get("towards", towards) != towards:
            continue
        if entry.get("thing", not animate) == animate or (entry.get("animal") and not animal):
            continue
        for said in shuffled(entry["say"], seed):
            yield said.replace("{o}", target)


def _numbers(text: str, seed: Seed) -> Iterator[str]:
    """Another number of as many digits."""
    found = re.search(r"\b\d+\b", text)
    if found:
        low = 10 ** (len(found[0]) - 1) if len(found[0]) > 1 else 1
        for number in shuffled(map(str, range(low, min(low * 10, low + 90))), seed)[:8]:
            yield f"{text[: found.start()]}{number}{text[found.end() :]}"
    counted = re.match(r"(two|three|four|five|six|seven|eight) ", text)
    if counted:
        counts = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
        yield from (f"{count} {text[counted.end() :]}" for count in shuffled(counts, seed))


def _replaced(text: str, subject: str, seed: Seed) -> Iterator[str]:
    """One telling word or colour after the other is replaced; the last word first."""
    for start, end, offers in _slots(text, subject, seed):
        for offer in offers:
            yield _spliced(text, start, end, offer)


def _slots(text: str, subject: str, seed: Seed) -> Iterator[tuple[int, int, list[str]]]:
    """Spans of the text with what could stand there."""
    color = _color_span(text)
    if color:
        yield color[0], color[1], _colors(text[color[0] : color[1]], text, subject, seed)
    noun = form(text).head
    scales = _ordered_scales(noun, subject)
    tokens = list(re.finditer(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()))
    for size in (2, 1):
        for first, last in reversed(list(zip(tokens, tokens[size - 1 :], strict=False))):
            phrase = text.lower()[first.start() : last.end()]
            inside = color and color[0] <= first.start() < color[1]
            if inside or phrase == noun:
                continue
            scale = next((name for name in scales if poles(name, phrase)), None)
            if scale and form(text).lead != "made":
                yield first.start(), last.end(), _values(scale, phrase, seed)
            if material(phrase) is not None:
                yield first.start(), last.end(), _materials(phrase, text, seed)


def _ordered_scales(noun: str, subject: str) -> tuple[str, ...]:
    """Those of the noun; for another noun the usual ones first. Things do not crouch."""
    data = table("attributes")
    named = scales_of(noun, category(subject))
    if "posture" in named and not belongs(subject, ["animate"]):
        return ("placement", *named)
    rest = data["default"] if named else (*data["default"], *data["scales"])
    return tuple(dict.fromkeys((*named, *rest)))


def _color_span(text: str) -> tuple[int, int] | None:
    """From the first colour word with its shade to the last: "light blue", "black and white"."""
    tokens = list(re.finditer(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()))
    end = next((n for n, token in enumerate(tokens) if hues(token[0])), None)
    if end is None or form(text).lead == "made" or tokens[end][0] == form(text).head:
        return None
    start = end
    while start and tokens[start - 1][0] in SHADES:
        start -= 1
    while end + 1 < len(tokens):
        following = [token[0] for token in tokens[end + 1 : end + 4]]
        step = next((n for n, word in enumerate(following) if hues(word)), None)
        if step is None or any(word not in ("and", *SHADES) for word in following[:step]):
            break
        end += step + 1
    return tokens[start].start(), tokens[end].end()


def _colors(span: str, text: str, subject: str, seed: Seed) -> list[str]:
    """Colours of other hues: as many as there were, up to two."""
    noun, owner = head(text), subject
    kind = "eyes" if noun in ("eyes", "eye") else ""
    animal = belongs(owner, ["animal"])
    if noun in ("hair", "fur", "mane", "coat", "beard") or (animal and noun in _OF_FUR):
        kind = "animal" if animal else "hair"
    own = all_hues(span)
    offers = [color for color in table("attributes")["color_offers"][kind] if not hues(color) & own]
    order = shuffled(offers, seed)
    if "-color" in span:
        return [f"{color}-colored" for color in order if "-" not in color]
    if " and " in span or len([word for word in words(span) if hues(word)]) > 1:
        return [
            f"{one} and {order[(place + step) % len(order)]}"
            for step in (1, 2)
            for place, one in enumerate(order)
        ]
    return order


def _materials(word: str, text: str, seed: Seed) -> list[str]:
    """Materials of another group; as adjectives before a noun."""
    cloth = material(word) == material("cotton")
    name = "adj" if form(text).kind == "noun" else "cloth" if cloth else ""
    offers = table("attributes")["material_offers"][name]
    return [offer for offer in shuffled(offers, seed) if material(offer) != material(word)]


def _values(scale: str, phrase: str, seed: Seed) -> list[str]:
    """Values of other poles: the first of each, then the second of each."""
    own = poles(scale, phrase)
    others = [pole["offer"] for n, pole in enumerate(table("attributes")["scales"][scale])
              if n not in own and pole["offer"]]  # fmt: skip
    ranks = zip_longest(*others)
    return [word for rank in ranks for word in shuffled(filter(None, rank), seed)]


def _spliced(text: str, start: int, end: int, offer: str) -> str:
    """The text with another word there, and the right article before it. "Slightly" goes."""
    before = re.sub(r"\b(?:slightly|partially|partly|very|somewhat) $", "", text[:start])
    before = re.sub(r"\b(a|an) $", f"{article(offer)} ", before)
    return f"{before}{offer}{text[end:]}"


def _nouns(text: str, seed: Seed) -> Iterator[str]:
    """Where no adjective tells anything: another noun, another name on the logo, another cover."""
    yield from _names(text, seed)
    noun = form(text).head
    core = re.sub(r"^(?:an?|the) ", "", text)
    many = is_plural(text)
    kinds = table("phrases")["parts"].values()
    parts = [part["say"] for word in (core, noun) for part in kinds if word in part["is"]][:1]
    offers = shuffled(chain(*parts), seed)
    listed = [
        plural(offer) if many else offer for offer in offers if many == is_plural(offer) or many
    ]
    if not listed and not is_listed(core):
        spare = table("phrases")["parts"]["fitting"]["say"]
        listed = [plural(offer) if many else offer for offer in shuffled(spare, seed)]
    for offer in listed or object_choices(core, seed):
        yield with_article(offer) if text != core and not many else offer


def _names(text: str, seed: Seed) -> Iterator[str]:
    """Another name before the noun: "a Qantas logo" to "a Shell logo"."""
    noun = form(text).head
    if noun not in table("phrases")["parts"]["print"]["is"]:
        return
    found = re.match(rf"((?:an? )?)(.+) (?={re.escape(noun)})", text, re.IGNORECASE)
    if found and not any(hues(word) for word in words(found[2])):
        for name in shuffled(table("phrases")["brands"], seed):
            lead = f"{article(name)} " if found[1] else ""
            yield f"{lead}{name} {text[found.end() :]}"


def _done(text: str, subject: str, seed: Seed) -> Iterator[str]:
    """ "covered in snow" to "covered in moss", "carpeted in red" to "carpeted in blue"."""
    done, _, rest = text.partition(" ")
    if words(text)[-1] in ("colors", "colours"):
        yield from _replaced(text, subject, seed)
    preposition, animate = rest.partition(" ")[0], belongs(subject, ["animate"])
    for entry in table("phrases")["done"]:
        if entry.get("animate", animate) != animate:
            continue
        if not entry["if"] or done in entry["if"]:
            lead = f"{done} {preposition} " if entry.get("keep") else ""
            yield from (f"{lead}{said}" for said in shuffled(entry["say"], seed))
