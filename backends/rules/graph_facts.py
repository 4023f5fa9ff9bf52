"""What a caption's clauses state of one mention: attributes, and links to other mentions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.grammar import gerund
from backends.rules.graph_phrases import adjective_phrase, look_phrase, shaded
from backends.rules.graph_places import Place, place_of
from backends.rules.graph_words import dimension, listed
from backends.rules.mention import Mention, noun_lemma
from backends.rules.noun_phrases import PRONOUNS

if TYPE_CHECKING:
    from spacy.tokens import Token

_SUBJECTS = ("nsubj", "nsubjpass", "expl")
_OWNING = {"have", "feature", "possess", "sport", "boast"}
_SHOWING = {"show", "depict", "feature", "capture", "display", "portray", "include", "present"}
_HEDGES = {
    "likely", "possibly", "probably", "perhaps", "maybe", "apparently", "presumably", "seemingly",
    "almost", "potentially", "as",
}  # fmt: skip
_WITH_ADVERB = {"up", "down", "upright", "upward", "upwards", "downward", "downwards", "forward",
    "away", "backwards", "backward", "sideways", "flat", "together", "apart", "outward", "outwards",
}  # fmt: skip
_NEAR = {"close", "adjacent", "next", "near", "full", "visible", "present", "parallel"}
_PARTLY = {"partly", "partially", "half", "fully", "mostly", "completely", "slightly"}
_MAX_STATE = 5
_PARTICIPLES = ("ng", "ed", "wn", "nt", "en")
_LINKING = {"be", "appear", "look", "remain"}


@dataclass(frozen=True)
class Fact:
    """An attribute, or a relation to what `target` names.

    `owns` marks what the thing has ("with a clock"). Where the target is no object of the graph,
    `attribute` holds.
    """

    attribute: str | None = None
    relation: str | None = None
    target: Token | None = None
    owns: bool = False


def facts_of(mention: Mention) -> Iterator[Fact]:
    """Everything that the mention's own words and its clauses state of it."""
    for words in shaded(mention.adjectives):
        yield Fact(adjective_phrase(words))
    for noun in {mention.noun.i: mention.noun, mention.top.i: mention.top}.values():
        for child in noun.rights:
            yield from _surely(_postmodifier(child), mention)
    top = mention.top
    while top.dep_ == "conj" and top.head.pos_ in ("NOUN", "PROPN", "PRON"):
        top = top.head
    if top.dep_ in ("nsubj", "nsubjpass"):
        yield from clause_facts(top.head)
    elif top.dep_ in ("attr", "dobj") and _presents(top.head):
        yield from _places(top.head, "")
        for child in top.head.rights:
            if child.dep_ == "advcl" and child.tag_ == "VBG":
                yield from clause_facts(child)


def _surely(facts: Iterator[Fact], mention: Mention) -> Iterator[Fact]:
    """ "a flag hangs behind the man on the left": who is on the left cannot be told."""
    above = mention.top.head.lower_
    after_place = mention.top.dep_ == "pobj" and above not in ("of", "with", "by")
    for fact in facts:
        if not (after_place and (fact.attribute or "").startswith("a position")):
            yield fact


def _presents(verb: Token) -> bool:
    """ "there is a cat", "the image shows a cat": what the verb places is its object."""
    if any(c.dep_ == "neg" or c.tag_ == "MD" for c in verb.lefts):
        return False
    if any(child.dep_ == "expl" for child in verb.children):
        return verb.lemma_ == "be"
    subjects = [child for child in verb.lefts if child.dep_ == "nsubj"]
    meta = any(lexicon.listed("meta", noun_lemma(subject)) for subject in subjects)
    return verb.lemma_ in _SHOWING and meta


def _postmodifier(token: Token) -> Iterator[Fact]:
    """ "lying on a mat", "that is orange", "with stripes", "on the table"."""
    if token.dep_ == "acl" and token.tag_ in ("VBG", "VBN", "VBD"):
        yield from _verb_facts(token, passive=token.tag_ != "VBG")
    elif token.dep_ == "relcl":
        subjects = [c for c in token.lefts if c.dep_ in _SUBJECTS]
        if subjects and subjects[0].lower_ in ("that", "which", "who"):
            yield from clause_facts(token)
    elif token.dep_ == "amod":
        yield from _complement(token)
    elif token.dep_ == "prep" and token.lower_ == "with":
        nouns = conjuncts(token)
        for noun in nouns[:1] if nouns and nouns[0].lower_ == "number" else nouns:
            yield from _owned(noun)
    elif token.dep_ == "prep":
        yield from _placed(token, "")


def clause_facts(verb: Token) -> Iterator[Fact]:
    """What a clause and the verbs coordinated with it state of its subject."""
    if is_asserted(verb):
        passive = is_passive(verb)
        yield from _verb_facts(verb, passive)
    for child in verb.rights:
        own = any(c.dep_ in _SUBJECTS for c in child.lefts)
        coordinated = child.dep_ == "conj" and child.pos_ in ("VERB", "AUX")
        if not own and (coordinated or (child.dep_ == "advcl" and child.tag_ == "VBG")):
            yield from clause_facts(child)


def is_passive(verb: Token) -> bool:
    """With an auxiliary, or a participle that the tagger took for a past tense."""
    if any(child.dep_ == "auxpass" for child in verb.lefts):
        return True
    return verb.tag_ == "VBD" and not any(child.dep_ == "dobj" for child in verb.rights)


def is_asserted(verb: Token) -> bool:
    """Whether a verb is stated as a fact: not denied, possible, supposed or an alternative."""
    seen = noun_lemma(verb) == "see" or verb.lemma_ in ("see", "find", "observe")
    for child in verb.children:
        if child.dep_ == "neg" or (child.lower_ in _HEDGES and child.dep_ == "advmod"):
            return False
        if child.tag_ == "MD" and not seen:
            return False
        if child.dep_ == "cc" and child.lower_ == "or":
            return False
    return not _marked(verb) and not (verb.i > 0 and verb.nbor(-1).lower_ == "or")


def _marked(verb: Token) -> bool:
    return any(child.dep_ in ("mark", "aux") and child.lower_ in ("if", "to", "as", "because")
               for child in verb.lefts)  # fmt: skip


def _verb_facts(verb: Token, passive: bool) -> Iterator[Fact]:
    lemma = verb.lemma_.lower()
    if not is_asserted(verb):
        return
    if lemma in _LINKING and not passive and _links(verb):
        for child in verb.rights:
            yield from _complement(child)
        if lemma == "be":
            yield from _places(verb, "")
    elif lemma in _OWNING and not passive:
        for noun in conjuncts(verb):
            yield from _owned(noun)
    elif listed("neutral", lemma):
        yield from _places(verb, "")
        for child in verb.rights:
            if child.dep_ in ("xcomp", "advcl", "oprd", "acl") and child.tag_ == "VBG":
                yield from clause_facts(child)
    elif not listed("verbs_never", lemma):
        yield from _action(verb, passive)


def _links(verb: Token) -> bool:
    if verb.lemma_ == "be":
        return True
    return any(child.dep_ in ("acomp", "oprd") for child in verb.rights)


def _complement(token: Token) -> Iterator[Fact]:
    """The complement of a linking verb: adjectives, nouns of look, "covered in snow"."""
    if token.dep_ == "attr" and token.pos_ in ("NOUN", "ADJ", "PROPN"):
        yield from _owned(token, is_look=True)
        return
    if token.dep_ not in ("acomp", "oprd", "amod", "conj") or token.pos_ not in (
        "ADJ", "VERB", "ADV", "NOUN",
    ):  # fmt: skip
        return
    group = [token]
    for word in group:
        group += [c for c in word.rights if c.dep_ == "conj" and c.pos_ in ("ADJ", "VERB")]
        if any(c.dep_ == "cc" and c.lower_ == "or" for c in word.rights):
            return
    if len(group) > 1 and all(dimension(word.lower_) == "color" for word in group):
        yield Fact(adjective_phrase(" and ".join(_described(word) for word in group)))
        return
    for word in group:
        yield from _adjective(word)


def _adjective(word: Token) -> Iterator[Fact]:
    if any(c.dep_ == "neg" or c.lower_ in _HEDGES for c in word.lefts):
        return
    links = [c for c in word.rights if c.dep_ in ("prep", "agent")]
    participle = word.tag_ in ("VBN", "VBD", "VBG")
    neutral = listed("neutral", word.lemma_) or word.lower_ in ("visible", "present")
    if links and (participle or neutral or word.lower_ in _NEAR):
        verb = "" if neutral else word.lower_
        if neutral or not listed("verbs_never", word.lemma_.lower()):
            for link in links:
                yield from _placed(link, verb)
    else:
        yield Fact(adjective_phrase(_described(word)))


def _described(word: Token) -> str:
    """An adjective with the adverbs in front of it."""
    keep = [t for t in word.lefts if t.dep_ in ("advmod", "amod", "npadvmod", "compound")]
    keep = [t for t in keep if not t.is_sent_start and t.i >= word.i - 2 and t.lower_ != "also"]
    return " ".join(t.text.lower() for t in [*keep, word])


def _action(verb: Token, passive: bool) -> Iterator[Fact]:
    """ "is holding" a cup, "is sitting on" a sofa, "looking to the left", "a sitting posture"."""
    participle = passive or verb.tag_ in ("VBG", "VBN")
    base = verb.lower_ if participle else gerund(verb.lemma_.lower())
    words = [*(c.lower_ for c in verb.lefts if c.lower_ in _PARTLY), base]
    words += [c.lower_ for c in verb.rights if c.dep_ == "prt"]
    adverbs = [
        c.lower_ for c in verb.rights
        if c.dep_ in ("advmod", "acomp", "oprd") and c.lower_ in _WITH_ADVERB
    ]  # fmt: skip
    form = " ".join(words)
    objects = conjuncts(verb, ("dobj",))
    if objects and not passive:
        for noun in objects:
            yield Fact(_object_phrase(form, noun), f"is {form}", noun)
        return
    found = list(_places(verb, " ".join([*words, *adverbs]), passive))
    yield from found
    if not any(fact.relation or fact.attribute for fact in found):
        yield Fact(" ".join([form, *adverbs]) if adverbs else _state(base, form))


def _state(word: str, form: str) -> str | None:
    """A verb alone: a posture, motion, state or expression where the table has it."""
    return adjective_phrase(form) if form.endswith(word) else None


def _object_phrase(form: str, noun: Token) -> str | None:
    """ "performing a trick": a verb with an object that is none of the graph."""
    words = [t for t in noun.subtree if t.dep_ in ("det", "amod", "compound", "poss") or t == noun]
    near = [t for t in words if abs(t.i - noun.i) < 4]
    plain = len(near) == len(list(noun.subtree)) and noun.pos_ == "NOUN"
    plain = plain and not any(child.dep_ == "poss" for child in noun.lefts)
    if not plain or noun.lower_ in PRONOUNS or listed("never", noun_lemma(noun)):
        return None
    return f"{form} {' '.join(t.text for t in near)}"


def _places(verb: Token, form: str, passive: bool = False) -> Iterator[Fact]:
    subjects = [child.i for child in verb.lefts if child.dep_ in ("nsubj", "nsubjpass")]
    for child in verb.children:
        if child.lower_ == "with" and not passive:
            continue
        if child.dep_ in ("prep", "agent", "advmod") and child.pos_ in ("ADP", "ADV", "SCONJ"):
            if child.lower_ in ("by", "from", "after") and not passive:
                continue
            # "Behind it, a lake is dotted with boats": the phrase in front only tells the place.
            fronted = bool(subjects) and child.i < min(subjects)
            yield from _placed(child, "" if fronted else form)


def _placed(preposition: Token, form: str) -> Iterator[Fact]:
    """A prepositional phrase after a verb, or after a plain "is" where `form` is empty."""
    place: Place | None = place_of(preposition, bool(form))
    if place is None:
        return
    if place.position:
        yield Fact(f"a position {place.position}")
    relation = " ".join(part for part in ("is", form, place.words) if part)
    for noun in place.nouns:
        plain = f"{form} {place.phrase}" if form and place.phrase else None
        yield Fact(plain, relation, noun)


def _owned(noun: Token, is_look: bool = False) -> Iterator[Fact]:
    """What "has", "with" or "is" says of the look; other things are told as owned."""
    described = ("amod", "compound", "nmod", "nummod", "npadvmod")
    lefts = [t for t in noun.subtree if t.i < noun.i and (t.dep_ in described or t.dep_ == "conj")]
    if any(c.lower_ in ("no", "not") for c in noun.lefts):
        return
    if listed("look", noun.lower_) or (is_look and dimension(noun.lower_) == "color"):
        if dimension(noun.lower_) == "color":
            yield Fact(adjective_phrase(_described(noun)))
            return
        colors = [t for t in lefts if dimension(t.lower_) == "color"]
        adjectives = [_described(t) for t in lefts if t.pos_ in ("ADJ", "VERB") or t in colors]
        category = [t for t in lefts if t.pos_ in ("NOUN", "PROPN") and t not in colors]
        yield Fact(look_phrase(noun, _colors(adjectives), [*category, noun]))
    elif not is_look:
        yield Fact(None, None, noun, owns=True)


def _colors(adjectives: list[str]) -> list[str]:
    """Colours side by side are one phrase ("red, white, and gray")."""
    colored = [word for word in adjectives if dimension(word.split()[-1]) == "color"]
    if len(colored) < 2:
        return adjectives
    joined = f"{', '.join(colored[:-1])} and {colored[-1]}"
    return [joined, *(word for word in adjectives if word not in colored)]


def conjuncts(head: Token, deps: tuple[str, ...] = ("dobj", "pobj")) -> list[Token]:
    """The nouns that a verb or preposition governs, with those coordinated with them."""
    found = [child for child in head.rights if child.dep_ in deps]
    for noun in found:
        found += [c for c in noun.rights if c.dep_ == "conj" and c.pos_ in ("NOUN", "PROPN")]
    return found


def part_facts(part: Mention) -> tuple[list[str], str | None]:
    """What is said of a part: adjectives ("its fur is thick"), a state ("turned to the side")."""
    verb = part.top.head if part.top.dep_ in ("nsubj", "nsubjpass") else None
    participles = [c for c in part.noun.rights if c.dep_ == "acl" and c.tag_ in ("VBG", "VBN")]
    if verb is None and not participles:
        return [], None
    if verb is not None and verb.lemma_ in ("be", "appear", "look") and not is_passive(verb):
        words = [c for c in verb.rights if c.dep_ in ("acomp", "oprd") and c.pos_ == "ADJ"]
        alone = [word for word in words if not any(c.dep_ == "prep" for c in word.rights)]
        return ([_described(word) for word in alone] if is_asserted(verb) else []), None
    verb = verb if verb is not None else participles[0]
    passive = is_passive(verb) or verb.tag_ == "VBN"
    if not (passive or verb.tag_ == "VBG") or not is_asserted(verb):
        return [], None
    states = [_state_text(fact) for fact in _verb_facts(verb, passive)]
    return [], next((state for state in states if state), None)


def _state_text(fact: Fact) -> str | None:
    """A fact as a participle phrase after the name of a part."""
    if fact.relation and fact.target is not None and fact.relation.split()[1][-2:] in _PARTICIPLES:
        if fact.attribute:
            return fact.attribute
        phrase = fact.target.doc[fact.target.left_edge.i : fact.target.i + 1]
        verb = fact.relation.removeprefix("is ")
        return f"{verb} {phrase.text}" if len(phrase) < _MAX_STATE else None
    first = fact.attribute.split()[0] if fact.attribute else ""
    return fact.attribute if first[-2:] in _PARTICIPLES else None
