"""Noun phrases as mentions: which words name the category, which count, which describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.language import quoted_spans
from backends.rules.mention import Determiner, Mention, noun_lemma
from backends.rules.modifiers import add_adjective, is_category_word
from backends.rules.quantities import counts, set_quantity

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token


NOMINAL = {"nsubj", "nsubjpass", "dobj", "pobj", "attr", "conj", "appos", "ROOT", "dative"}
_MODIFIER = {"compound", "nmod", "amod", "nummod", "quantmod", "npadvmod", "advmod"}
_DEFINITE = {"the", "this", "that", "these", "those", "both", "each", "all", "every", "either"}
_OTHER = {"another", "other", "second", "third", "additional", "more", "extra"}
PRONOUNS = {
    "it", "its", "itself", "they", "them", "their", "themselves", "he", "him", "his", "himself",
    "she", "her", "hers", "herself",
}  # fmt: skip
_TIMES = {
    "day", "daytime", "night", "nighttime", "morning", "evening", "afternoon", "dusk", "dawn",
    "winter", "summer", "autumn", "spring", "sunny", "cloudy", "overcast", "noon", "sunset",
}  # fmt: skip
_MEMBERS = {"one", "other", "others", "both", "another", "latter", "former"}


def find_mentions(doc: Doc) -> list[Mention]:
    """Every noun phrase and pronoun of the text in order, in scope or not."""
    quoted = quoted_spans(doc.text)
    mentions: list[Mention] = []
    for token in doc:
        if mentions and token in mentions[-1].category:
            continue
        if any(start <= token.idx < end for start, end in quoted):
            continue
        if (
            token.lower_ in PRONOUNS and token.pos_ == "PRON" and not _is_pleonastic(token)
        ) or _is_member(token):
            mentions.append(Mention(token, token, "pronoun", [token]))
        elif is_noun_head(token) and not _groups(token):
            mentions.append(_noun_phrase(token))
    return mentions


def _is_pleonastic(token: Token) -> bool:
    """ "it is daytime", "it is likely that": the pronoun stands for nothing."""
    verb = token.head
    if token.lower_ != "it" or token.dep_ not in ("nsubj", "expl"):
        return False
    said = {child.lower_ for child in verb.subtree if child.i > token.i}
    clause = any(c.dep_ in ("ccomp", "csubj") or c.lower_ == "that" for c in verb.rights)
    linking = verb.lemma_ in ("be", "seem", "appear")
    weather = verb.lemma_ in ("rain", "snow") or (linking and bool(said & _TIMES))
    return weather or (linking and clause and any(c.dep_ == "acomp" for c in verb.rights))


def _is_member(token: Token) -> bool:
    """ "one", "the other", "both" as noun phrases of their own."""
    if token.lower_ not in _MEMBERS or token.dep_ not in NOMINAL:
        return False
    return token.pos_ in ("NUM", "PRON", "NOUN", "ADJ", "DET")


def is_noun_head(token: Token) -> bool:
    """Whether the token heads a noun phrase, also where the tagger took it for an adjective."""
    if not any(character.isalnum() for character in token.text):
        return False
    if token.dep_ == "conj" and token.head.pos_ == "ADJ" and not any(token.lefts):
        return False
    if token.pos_ in ("NOUN", "PROPN"):
        return not _modifies_next(token)
    if token.dep_ not in NOMINAL:
        return False
    before = {child.dep_ for child in token.lefts}
    if token.pos_ == "NUM":
        return "compound" in before or "nmod" in before
    if token.pos_ not in ("ADJ", "VERB", "ADV", "X", "ADP") or not before & {"det", "poss"}:
        return False
    if token.i + 1 < len(token.doc) and token.nbor().pos_ in ("NOUN", "PROPN"):
        return False
    if token.is_title and not token.is_sent_start:
        return True
    known = lexicon.is_physical(token.lower_, known_only=True)
    return known and not lexicon.is_adjective(token.lower_)


def _modifies_next(token: Token) -> bool:
    """Whether a noun is a left modifier of a later noun ("coffee" in "coffee cup")."""
    if token.dep_ not in ("compound", "nmod", "amod", "npadvmod", "nummod", "quantmod"):
        return False
    if token.head.i <= token.i:
        return False
    return token.head.pos_ in ("NOUN", "PROPN", "NUM", "ADJ", "VERB")


def _noun_phrase(noun: Token) -> Mention:
    top = _transparent_head(noun)
    mention = Mention(noun, top, "bare")
    for token in _premodifiers(noun):
        _sort_modifier(mention, token)
    mention.category.append(noun)
    mention.category += _right_name(noun)
    mention.category.sort(key=lambda token: token.i)
    phrases = [noun] if top == noun else [noun, top]
    mention.determiner = _determiner(phrases)
    set_quantity(mention)
    return mention


def _transparent_head(noun: Token) -> Token:
    """The counting or grouping noun above ("pair" of shoes), or the noun itself."""
    top = noun
    while top.dep_ == "pobj" and top.head.lower_ == "of":
        above = top.head.head
        if not lexicon.listed("transparent", noun_lemma(above)):
            break
        if above.pos_ not in ("NOUN", "PROPN", "NUM") or noun_lemma(above) == "body":
            break
        top = above
    return top


def _groups(token: Token) -> bool:
    """Whether a noun only counts or groups what follows it ("pair" in "a pair of shoes")."""
    if not lexicon.listed("transparent", noun_lemma(token)) or token.lower_ == "body":
        return False
    of = [child for child in token.rights if child.lower_ == "of"]
    return any(child.dep_ == "pobj" and is_noun_head(child) for prep in of for child in prep.rights)


def _premodifiers(noun: Token) -> list[Token]:
    """Modifier tokens left of the noun, in order, with possessives and determiners left out."""
    found: list[Token] = []
    for child in noun.lefts:
        if child.dep_ in _MODIFIER or (child.dep_ == "conj" and child.pos_ == "ADJ"):
            found += [token for token in child.subtree if token.i < noun.i]
        elif child.dep_ == "poss" and not child.is_title and _is_bare_genitive(child):
            found.append(child)
    return found


def _is_bare_genitive(token: Token) -> bool:
    """A "poss" that the parser only guessed: no 's and no pronoun ("cow parsley")."""
    return token.pos_ == "NOUN" and not any(child.dep_ == "case" for child in token.children)


def _sort_modifier(mention: Mention, token: Token) -> None:
    """Put one left modifier with the category, the count or the adjectives."""
    structural = ("det", "predet", "punct", "cc", "poss", "case", "preconj", "neg")
    if token.dep_ in structural or token.pos_ in ("DET", "PRON", "PART", "CCONJ"):
        return
    names = is_category_word(token, mention.noun)
    if counts(token) and not names and not lexicon.listed("approximate", token.lower_):
        mention.count.append(token)
    elif names:
        mention.category.append(token)
    elif lexicon.listed("approximate", token.lower_) and token.pos_ in ("ADV", "ADP", "SCONJ"):
        mention.count.append(token)
    elif token.lower_ not in _OTHER | {"first", "same", "own", "such", "fourth"}:
        add_adjective(mention, token)


def _right_name(noun: Token) -> list[Token]:
    """Tokens after the noun that belong to its name: numbers, "of Liberty", what a model shows."""
    found: list[Token] = []
    following = noun.i + 1
    named = noun.text != noun.text.lower() and not (noun.is_sent_start and noun.pos_ == "NOUN")
    while named and following < len(noun.doc) and _continues_name(noun.doc[following], noun):
        found.append(noun.doc[following])
        following += 1
    lemma = noun_lemma(noun)
    for prep in noun.rights:
        if prep.lower_ != "of" or found:
            continue
        objects = [child for child in prep.rights if child.dep_ == "pobj"]
        proper = named and objects and objects[0].pos_ == "PROPN"
        water = lemma == "body" and objects and objects[0].lower_ == "water"
        shown = lexicon.listed("representation", lemma)
        if objects and (proper or water or shown):
            found += list(noun.doc[prep.i : objects[0].i + 1])
    return found


def _continues_name(token: Token, noun: Token) -> bool:
    if token.head != noun and token.head.head != noun:
        return False
    return token.pos_ in ("NUM", "PROPN") and token.dep_ in ("nummod", "appos", "npadvmod", "punct")


def _determiner(nouns: list[Token]) -> Determiner:
    """How the phrase refers; the words of the grouping noun count first."""
    words = [
        child.lower_
        for noun in reversed(nouns)
        for child in noun.lefts
        if child.dep_ in ("det", "predet", "poss", "nummod", "amod", "neg", "preconj")
    ]
    genitive = any(child.dep_ == "poss" for noun in nouns for child in noun.lefts)
    if any(word in ("no", "neither", "zero") for word in words):
        return "no"
    if any(word in _OTHER for word in words):
        return "other"
    if genitive or any(word in _DEFINITE for word in words):
        return "the"
    if any(word in ("a", "an", "one", "any", "some") for word in words):
        return "a"
    return "bare"
