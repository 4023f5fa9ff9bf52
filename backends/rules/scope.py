"""Which noun phrases claim an object: no negation, no speculation, no picture words, no parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from backends.rules import lexicon
from backends.rules.mention import Mention, noun_lemma

if TYPE_CHECKING:
    from spacy.tokens import Token

Scope = Literal["object", "part", "none"]

_SIGHT = {"visible", "present", "shown", "seen", "apparent", "evident", "depicted", "there"}
_COMPLETELY = {"fully", "entirely", "clearly", "completely", "wholly", "directly", "very"}
_ABSENCE = {"absence", "lack", "devoid", "free", "instead", "rather", "empty", "shortage"}
_LIKENESS = {
    "shape", "form", "style", "likeness", "color", "colour", "idea", "theme", "name", "direction",
    "impression", "pattern", "design", "print", "motif", "game", "match", "round", "sport", "hint",
    "glimpse", "behavior", "presence", "role", "work",
    "memory", "thought", "appearance", "sense", "possibility", "feel",
}  # fmt: skip
_PICTURES = {
    "image", "photo", "photograph", "picture", "portrait", "view", "shot", "close-up", "closeup",
    "depiction", "snapshot", "rendering", "scene",
}  # fmt: skip
_MODALS = {"could", "might", "may", "would", "should", "can"}
_SEE = {"see", "observe", "spot", "notice", "find", "glimpse", "view", "make"}
_MADE = {"make", "consist", "compose", "construct", "build", "craft", "form"}
_OBJECTS = {"dobj", "attr", "oprd", "ccomp", "xcomp", "prep", "advcl", "agent", "dative", "acomp"}


def scope_of(mention: Mention) -> Scope:
    """Whether the phrase names an object, a part of one, or nothing that is listed."""
    noun, lemma = mention.noun, mention.lemma
    if mention.determiner == "pronoun":
        return "none"
    if lexicon.listed("venue", lemma) or _is_color(noun):
        return "none"
    if lemma == "light" and noun.tag_ == "NNS":
        return "object"
    if lemma == "board" and mention.determiner == "bare" and noun.head.lower_ in ("on", "aboard"):
        return "none"
    name = " ".join(token.lower_ for token in mention.category)
    single = len(mention.category) == 1
    if not single and lexicon.is_known(name):
        physical = lexicon.is_physical(name, known_only=True) or lexicon.is_physical(lemma)
        return "object" if physical else "none"
    if lexicon.is_part(lemma) and not lexicon.listed("keep", lemma):
        return "part"
    if lexicon.listed("low_information", lemma):
        return "none" if single else "object"
    if lemma in ("picture", "photo", "photograph") and _hangs(mention):
        return "object"
    proper = noun.pos_ == "PROPN" or noun.pos_ == "NUM"
    if not single and proper and not lexicon.listed("meta", lemma):
        return "object"
    return "object" if lexicon.is_physical(lemma) else "none"


def _is_color(noun: Token) -> bool:
    """ "olive green", "pink and olive": a colour that is also a fruit."""
    doc, colors = noun.doc, lexicon.listed
    if not colors("color", noun.lower_):
        return False
    near = [token.lower_ for token in doc[max(0, noun.i - 2) : noun.i + 2] if token != noun]
    return bool(noun.tag_ == "NN" and any(colors("color", word) for word in near))


def _hangs(mention: Mention) -> bool:
    """A picture that is a thing in the room and not the image itself."""
    words = {adjective.lower() for adjective in mention.adjectives}
    words |= {token.lower_ for child in mention.noun.rights for token in child.subtree}
    return bool(words & {"framed", "hanging", "hung", "hangs", "wall"})


def is_claimed(mention: Mention) -> bool:
    """Whether the text says that the thing is there: not denied, not supposed, not a likeness."""
    if mention.determiner == "no" or _is_viewer(mention):
        return False
    if mention.top.dep_ in ("nsubj", "nsubjpass") and _denied_subject(mention):
        return False
    node = mention.top
    while node.dep_ != "ROOT":
        if _blocks(node, node.head, mention):
            return False
        node = node.head
    return True


def _is_viewer(mention: Mention) -> bool:
    """The camera that took the picture ("facing the camera")."""
    definite = mention.determiner == "the" and mention.top.dep_ in ("pobj", "dobj", "poss")
    return lexicon.listed("viewer", mention.lemma) and definite and len(mention.category) == 1


def _denied_subject(mention: Mention) -> bool:
    """ "a dog is not visible", "no dog can be seen"."""
    verb = mention.top.head
    if not _is_negated(verb) or mention.determiner == "the":
        return False
    predicates = [verb, *verb.rights]
    seen = any(token.lower_ in _SIGHT for token in predicates)
    return seen and not any(token.lower_ in _COMPLETELY for token in verb.subtree)


def _is_negated(verb: Token) -> bool:
    return any(child.dep_ == "neg" for child in verb.children)


def _blocks(node: Token, above: Token, mention: Mention) -> bool:
    """Whether the step from `node` up to `above` takes the claim back."""
    dep = node.dep_
    if dep == "conj":
        return _says_no(above) and mention.determiner == "bare"
    if above.pos_ == "ADP" and dep in ("pobj", "pcomp"):
        return _preposition_blocks(node, above)
    if dep == "advcl" and any(child.lower_ in ("if", "though") for child in node.lefts):
        return _has(node, "as") or _has(node, "if")
    if dep not in _OBJECTS:
        return dep == "acl" and above.lower_ in ("evidence", "suggestion", "hint")
    if lexicon.listed("speculative", above.lemma_):
        return dep != "prep" or node.lower_ in ("for", "of", "to", "as", "about")
    if lexicon.listed("speculative_adjective", above.lower_):
        return True
    verb = above.pos_ in ("VERB", "AUX")
    if verb and dep == "dobj" and _is_pictured(above):
        return True
    if verb and dep in ("dobj", "attr", "ccomp", "xcomp", "oprd") and _is_negated(above):
        return True
    return verb and dep != "prep" and _is_hypothetical(above)


def _has(node: Token, word: str) -> bool:
    return any(child.lower_ == word for child in node.lefts)


def _says_no(noun: Token) -> bool:
    """ "no people or cars": the coordinated noun shares the "no"."""
    return any(child.lower_ in ("no", "neither", "without") for child in noun.lefts)


def _preposition_blocks(node: Token, preposition: Token) -> bool:
    above = preposition.head
    lower = preposition.lower_
    if lower in ("without", "unlike", "despite", "like", "than", "except", "if"):
        return not (lower == "like" and above.lemma_ == "look")
    if lower == "of" and above.lower_ in _ABSENCE:
        return True
    if lower in ("of", "as", "in", "to") and noun_lemma(above) in _LIKENESS:
        return True
    if lower == "of" and above.lemma_ in _MADE:
        return True
    if lower in ("by", "of", "from", "for", "in", "at") and _is_bare_name(node):
        return noun_lemma(above) not in _PICTURES
    return lower == "for" and node.dep_ == "pcomp"


def _is_bare_name(node: Token) -> bool:
    """ "by Oliver Goldsmith", "of Qantas": whose it is and not what it is."""
    before = {child.dep_ for child in node.lefts}
    unknown = "compound" in before or not lexicon.is_physical(node.lower_, known_only=True)
    return node.pos_ == "PROPN" and unknown and "det" not in before


def _is_pictured(verb: Token) -> bool:
    """ "a poster showing a ship": what a picture inside the image shows is not there."""
    shows = verb.lemma_ in ("feature", "depict", "show", "display", "portray", "read", "bear")
    while verb.dep_ in ("acl", "relcl", "advcl", "conj") and verb.head.pos_ == "VERB":
        verb = verb.head
    owners = [verb.head] if verb.dep_ in ("acl", "relcl") else list(verb.lefts)
    lemmas = {noun_lemma(owner) for owner in owners if owner.pos_ in ("NOUN", "PROPN")}
    return shows and any(lexicon.listed("representation", lemma) for lemma in lemmas)


def _is_hypothetical(verb: Token) -> bool:
    """ "which could accommodate two vehicles", but not "can be seen" and not "could be a pond"."""
    if verb.lemma_ in _SEE or verb.lemma_ in ("be", "have", "include"):
        return False
    return any(child.lower_ in _MODALS and child.dep_ == "aux" for child in verb.lefts)
