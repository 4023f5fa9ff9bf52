"""The visual facts a text states of one mention: adjectives, predicates, postures, positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.grammar import gerund
from backends.rules.mention import Mention

if TYPE_CHECKING:
    from spacy.tokens import Token

MAX_WORDS = 12
_LINKING = {"be", "appear", "seem", "look", "remain", "become", "stay"}
_SHOWING = {
    "show", "depict", "feature", "capture", "display", "see", "suggest", "indicate", "include",
    "create", "add", "contain", "have", "give", "convey", "provide", "contribute", "make",
    "draw", "dominate", "engage", "serve", "represent", "resemble", "know", "allow", "enjoy",
}  # fmt: skip
_SIDES = {
    "side",
    "top",
    "bottom",
    "front",
    "back",
    "edge",
    "corner",
    "end",
    "half",
    "part",
    "section",
}
_EMPTY = {
    "visible", "present", "seen", "there", "evident", "apparent", "available", "likely", "able",
    "same", "certain", "possible", "overall", "main", "primary", "prominent", "various", "such",
    "noticeable", "discernible", "aware", "typical", "similar", "indicative",
}  # fmt: skip
_PLACES = {
    "on", "in", "at", "behind", "beside", "near", "above", "below", "under", "next", "between",
    "beneath", "over", "against", "around", "inside", "outside", "along", "underneath", "atop",
    "beyond", "across", "among", "amidst", "by", "toward", "towards", "onto", "from", "through",
    "into", "to", "off", "adjacent", "close",
}  # fmt: skip


def stated_facts(mention: Mention) -> list[str]:
    """Facts the sentence states of the thing: its own words, then its predicate and position."""
    facts = [word for word in mention.adjectives if word not in _EMPTY]
    for noun in {mention.noun.i: mention.noun, mention.top.i: mention.top}.values():
        for child in noun.rights:
            facts += _postmodifier(child)
    facts += _predicate(mention.top)
    return [fact for fact in facts if fact and len(fact) <= 200]


def _postmodifier(token: Token) -> list[str]:
    """ "lying on a mat", "made of wood", "that is orange", "with stripes", "on the left"."""
    if token.dep_ == "acl" and token.tag_ in ("VBG", "VBN"):
        return _verb_phrase(token, passive=token.tag_ == "VBN")
    if token.dep_ == "relcl":
        subjects = [c for c in token.lefts if c.dep_ in ("nsubj", "nsubjpass")]
        relative = subjects and subjects[0].lower_ in ("that", "which", "who")
        return _clause_facts(token) if relative else []
    if token.dep_ == "prep" and token.lower_ in _PLACES:
        return [_phrase(token)]
    if token.dep_ == "amod":
        return _adjectives(token)
    return []


def _predicate(top: Token) -> list[str]:
    """What the clause says of its subject, or where a "there is" clause places its object."""
    verb = top.head
    if top.dep_ in ("nsubj", "nsubjpass"):
        return _clause_facts(verb)
    if top.dep_ == "conj" and top.head.dep_ in ("nsubj", "nsubjpass"):
        return _clause_facts(top.head.head)
    if top.dep_ in ("attr", "dobj") and any(child.dep_ == "expl" for child in verb.children):
        return _positions(verb)
    return []


def _clause_facts(verb: Token) -> list[str]:
    """Facts that a finite clause states of its subject, with coordinated verbs."""
    modal = any(child.tag_ == "MD" for child in verb.lefts) and verb.lemma_ not in ("be", "see")
    if modal or any(child.dep_ == "neg" for child in verb.children):
        return []
    facts: list[str] = []
    passive = any(child.dep_ == "auxpass" for child in verb.lefts)
    if _links(verb):
        for child in verb.rights:
            facts += _complement(child)
        facts += _positions(verb)
    elif verb.lemma_ not in _SHOWING:
        facts += _verb_phrase(verb, passive)
    elif passive:
        facts += _positions(verb)
    for child in verb.rights:
        own_subject = any(c.dep_ in ("nsubj", "nsubjpass", "expl") for c in child.lefts)
        if child.dep_ == "conj" and child.pos_ in ("VERB", "AUX") and not own_subject:
            facts += _clause_facts(child)
    return facts


def _links(verb: Token) -> bool:
    """ "is", "looks wet", but not "is looking to the right"."""
    if verb.lemma_ not in _LINKING:
        return False
    return verb.lemma_ != "look" or any(child.dep_ == "acomp" for child in verb.rights)


def _complement(token: Token) -> list[str]:
    """The complement of a linking verb: adjectives, colour nouns, participles."""
    if token.dep_ in ("acomp", "oprd") and token.pos_ in ("ADJ", "VERB", "ADV", "NOUN"):
        return _adjectives(token)
    if token.dep_ == "attr" and _names_look(token):
        return [" ".join(t.text for t in token.subtree if t.dep_ != "det" and not t.is_punct)]
    if token.dep_ == "xcomp" and token.lemma_ in _LINKING:
        return [fact for child in token.rights for fact in _complement(child)]
    if token.dep_ == "xcomp" and token.tag_ in ("VB", "VBG", "VBN"):
        return _verb_phrase(token, any(c.dep_ == "auxpass" for c in token.lefts))
    return []


def _names_look(noun: Token) -> bool:
    """ "is a light brown color", "is red": the noun says how the thing looks, not what it is."""
    words = {noun.lower_} | {token.lower_ for token in noun.subtree}
    return any(lexicon.listed("color", word) for word in words) and not lexicon.is_physical(
        noun.lemma_.lower()
    )


def _adjectives(token: Token) -> list[str]:
    """An adjective with its adverb and complement, and those coordinated with it."""
    group = [token]
    for found in group:
        group += [child for child in found.rights if child.dep_ == "conj"]
    group = [word for word in group if word.pos_ in ("ADJ", "VERB", "ADV", "NOUN")]
    if len(group) > 1 and all(lexicon.listed("color", word.lower_) for word in group):
        return [" and ".join(word.text for word in group)]
    facts = []
    for word in group:
        if word.lower_ in _EMPTY:
            facts += _positions(word)
        else:
            facts.append(_trimmed(word))
    return facts


def _trimmed(word: Token) -> str:
    """The adjective with its adverbs and prepositional phrase ("covered in snow")."""
    keep = [t for t in word.lefts if t.dep_ in ("advmod", "amod", "npadvmod", "compound")]
    tail = [t for p in word.rights if p.dep_ in ("prep", "prt") for t in _core(p)]
    tokens = sorted({t.i: t for t in [*keep, word, *tail]}.values(), key=lambda t: t.i)
    return _joined(tokens)


def _verb_phrase(verb: Token, passive: bool) -> list[str]:
    """ "lying on a red sofa", "parked on the street", "wearing a hat"."""
    if verb.lemma_ in _SHOWING and not passive:
        return []
    if _links(verb):
        return _clause_facts(verb)
    perfect = any(child.lemma_ == "have" and child.dep_ == "aux" for child in verb.lefts)
    after_with = verb.tag_ == "VBD" and verb.dep_ in ("pcomp", "ccomp", "acl", "conj")
    participle = passive or verb.tag_ == "VBG" or (verb.tag_ == "VBN" and not perfect) or after_with
    form = verb.text if participle else gerund(verb.lemma_)
    tail: list[Token] = []
    for child in verb.rights:
        if child.dep_ in ("dobj", "prt", "prep", "advmod", "oprd", "acomp", "agent"):
            more = _core(child)
            if len(tail) + len(more) < MAX_WORDS:
                tail += more
        elif child.dep_ not in ("punct",):
            break
    return [" ".join([form[:1].lower() + form[1:], _joined(tail)]).strip()]


def _positions(verb: Token) -> list[str]:
    """Prepositional phrases of place on either side of a verb."""
    places = [c for c in verb.children if c.dep_ in ("prep", "advmod") and c.lower_ in _PLACES]
    return [_phrase(place) for place in places if any(place.rights)]


def _phrase(preposition: Token) -> str:
    """A prepositional phrase as text, without clauses inside it."""
    tokens = _core(preposition)
    if len(tokens) < 2 or len(tokens) > MAX_WORDS:
        return ""
    text = _joined(tokens)
    return text[:1].lower() + text[1:]


def _core(token: Token) -> list[Token]:
    """The phrase under a token without relative clauses, asides and appositions."""
    found = [token]
    for child in token.children:
        if child.dep_ in ("relcl", "advcl", "appos", "punct", "ccomp", "acl", "parataxis"):
            continue
        if child.dep_ == "prep" and child.lower_ not in ("of", "to") and token.pos_ != "ADP":
            continue
        if child.dep_ in ("cc", "conj") and not _stays_one_phrase(token):
            continue
        found += _core(child)
    return sorted(found, key=lambda t: t.i)


def _stays_one_phrase(token: Token) -> bool:
    """ "jacket and pants" is one complement; a conjunct with its own article is another thing."""
    conjuncts = [child for child in token.rights if child.dep_ == "conj"]
    own = any(child.dep_ == "det" for conjunct in conjuncts for child in conjunct.lefts)
    return token.pos_ not in ("VERB", "AUX", "ADP") and bool(conjuncts) and not own


def _joined(tokens: list[Token]) -> str:
    text = " ".join(token.text for token in tokens if not token.is_space)
    for mark in ("'s", ",", "'"):
        text = text.replace(f" {mark}", mark)
    return text.strip(" ,.;:")


def part_facts(mention: Mention) -> list[str]:
    """A part as facts of its owner: "long trunk", "eyes open", "roof tiled"."""
    words = [word for word in mention.adjectives if word not in _EMPTY]
    if mention.lemma in _SIDES or (lexicon.listed("meta", mention.lemma) and not words):
        return []
    count = [token.text for token in mention.count]
    name = " ".join([*count, *words, *(t.text for t in mention.category)]).lower()
    predicates = _predicate(mention.top)
    for child in mention.noun.rights:
        if child.dep_ in ("acl", "amod"):
            predicates += _postmodifier(child)
    if predicates:
        return [f"{name} {fact}" for fact in predicates]
    return [name] if " " in name else []
