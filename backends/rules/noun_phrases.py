"""Noun phrases as mentions: which words name the category, which count, which describe."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from backends.rules import lexicon
from backends.rules.grammar import parse_number, singular
from backends.rules.language import quoted_spans
from schemas.base import Quantity

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

Determiner = Literal["a", "the", "other", "bare", "no", "pronoun"]

MAX_COUNT = 1_000_000
NOMINAL = {"nsubj", "nsubjpass", "dobj", "pobj", "attr", "conj", "appos", "ROOT", "dative"}
_MODIFIER = {"compound", "nmod", "amod", "nummod", "quantmod", "npadvmod", "advmod"}
_DEFINITE = {"the", "this", "that", "these", "those", "both", "each", "all", "every", "either"}
_OTHER = {"another", "other", "second", "third", "additional", "more", "extra"}
_SIZE = {
    "big", "small", "little", "large", "tall", "long", "short", "old", "young", "new", "older",
    "younger", "fresh", "dry", "wild", "wide", "broad", "heavy", "light", "dark", "free", "open",
    "closed", "round", "square", "flat", "full", "thick", "thin", "modern", "white-collar",
}  # fmt: skip
PRONOUNS = {
    "it", "its", "itself", "they", "them", "their", "themselves", "he", "him", "his", "himself",
    "she", "her", "hers", "herself",
}  # fmt: skip
_TIMES = {
    "day", "daytime", "night", "nighttime", "morning", "evening", "afternoon", "dusk", "dawn",
    "winter", "summer", "autumn", "spring", "sunny", "cloudy", "overcast", "noon", "sunset",
}  # fmt: skip
_MEMBERS = {"one", "other", "others", "both", "another", "latter", "former"}


@dataclass(eq=False)
class Mention:
    """One noun phrase or pronoun. `top` heads the whole phrase ("pair" in "a pair of shoes")."""

    noun: Token
    top: Token
    determiner: Determiner
    category: list[Token] = field(default_factory=list)
    count: list[Token] = field(default_factory=list)
    quantity: Quantity = 1
    adjectives: list[str] = field(default_factory=list)
    numbered: bool = False

    @property
    def lemma(self) -> str:
        """Lower-case singular of the noun that heads the category."""
        return noun_lemma(self.noun)

    @property
    def kind(self) -> str:
        """The longest end of the category that the lexicon knows; else its last noun."""
        words = [token.lower_ for token in self.category]
        for start in range(len(words) - 1):
            if lexicon.is_known(" ".join(words[start:])):
                return " ".join(words[start:])
        return self.lemma

    @property
    def plural(self) -> bool:
        """Whether the phrase speaks of more than one thing."""
        if self.noun.lower_ in ("they", "them", "their", "themselves", "both", "others"):
            return True
        return self.quantity != 1 or self.noun.tag_ in ("NNS", "NNPS")

    @property
    def text(self) -> str:
        """The category as the text has it; a common noun loses its sentence capital."""
        tokens = self.category
        text = tokens[0].doc[tokens[0].i : tokens[-1].i + 1].text
        if tokens[-1].i - tokens[0].i >= len(tokens):
            text = " ".join(token.text for token in tokens)
        common = tokens[0].pos_ != "PROPN" and tokens[0].is_sent_start and tokens[0].is_title
        return text[:1].lower() + text[1:] if common else text


def noun_lemma(token: Token) -> str:
    """Lower-case singular form; spaCy's lemma only where it lemmatised a noun."""
    lower: str = token.lower_
    if token.tag_ == "NNS":
        lemma: str = token.lemma_.lower()
        return lemma if lemma != lower else singular(lower)
    return singular(lower) if token.tag_ == "NNPS" else lower


def find_mentions(doc: Doc) -> list[Mention]:
    """Every noun phrase and pronoun of the text in order, in scope or not."""
    quoted = quoted_spans(doc.text)
    mentions: list[Mention] = []
    for token in doc:
        if mentions and token in mentions[-1].category:
            continue
        if any(start <= token.idx < end for start, end in quoted):
            continue
        if token.lower_ in PRONOUNS and token.pos_ == "PRON" and not _is_pleonastic(token):
            mentions.append(Mention(token, token, "pronoun", [token]))
        elif _is_member(token):
            mentions.append(Mention(token, token, "pronoun", [token]))
        elif is_noun_head(token) and not _groups(token):
            mentions.append(_noun_phrase(token))
    return mentions


def _is_pleonastic(token: Token) -> bool:
    """"it is daytime", "it is likely that": the pronoun stands for nothing."""
    verb = token.head
    if token.lower_ != "it" or token.dep_ not in ("nsubj", "expl"):
        return False
    said = {child.lower_ for child in verb.subtree if child.i > token.i}
    clause = any(c.dep_ in ("ccomp", "csubj") or c.lower_ == "that" for c in verb.rights)
    linking = verb.lemma_ in ("be", "seem", "appear")
    weather = verb.lemma_ in ("rain", "snow") or (linking and bool(said & _TIMES))
    return weather or (linking and clause and any(c.dep_ == "acomp" for c in verb.rights))


def _is_member(token: Token) -> bool:
    """"one", "the other", "both" as noun phrases of their own."""
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
    _set_quantity(mention)
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
    if _counts(token) and not names and not lexicon.listed("approximate", token.lower_):
        mention.count.append(token)
    elif names:
        mention.category.append(token)
    elif lexicon.listed("approximate", token.lower_) and token.pos_ in ("ADV", "ADP", "SCONJ"):
        mention.count.append(token)
    elif token.lower_ not in _OTHER | {"first", "same", "own", "such", "fourth"}:
        _add_adjective(mention, token)


def _add_adjective(mention: Mention, token: Token) -> None:
    """Collect an adjective; "black and white" and "brightly colored" stay one phrase."""
    if token.pos_ == "ADV" or token.lower_ in ("light", "dark", "bright", "deep", "pale", "very"):
        follower = token.nbor()
        if token.pos_ == "ADV" or lexicon.listed("color", follower.lower_):
            return
    start = token.i
    while start > 0 and _intensifies(token.doc[start - 1], token):
        start -= 1
    phrase = token.doc[start : token.i + 1].text
    before = token.doc[start - 1] if start > 0 else token
    colors = lexicon.listed("color", token.lower_) and before.lower_ == "and"
    if colors and mention.adjectives:
        last = mention.adjectives.pop()
        mention.adjectives.append(f"{last} and {phrase}")
    else:
        mention.adjectives.append(phrase if phrase.isupper() else phrase.lower())


def _intensifies(token: Token, adjective: Token) -> bool:
    if token.pos_ == "ADV" and token.head == adjective:
        return True
    shade = token.lower_ in ("light", "dark", "bright", "deep", "pale", "very")
    return shade and lexicon.listed("color", adjective.lower_)


def is_category_word(token: Token, noun: Token) -> bool:
    """Whether a modifier belongs to the category name and not to the description."""
    lower, head = token.lower_, noun_lemma(noun)
    if parse_number(token.text) is not None:
        return _is_name_number(token)
    if lexicon.counted(lower) is not None or lexicon.listed("vague", lower):
        return False
    if token.text[:1].isupper() and not token.is_sent_start and token.pos_ != "DET":
        return True
    if token.pos_ == "PROPN" and not lexicon.listed("color", lower):
        return lower not in _SIZE
    if lexicon.listed("stative_participle", lower):
        return False
    if lower in _SIZE or (lexicon.is_person(head) and token.pos_ == "ADJ"):
        return False
    animate = lexicon.is_animate(head)
    if lexicon.listed("color", lower):
        living = animate or lexicon.is_kind_of(head, "plant") or lexicon.is_kind_of(head, "food")
        return living and lexicon.is_compound(lower, head)
    if lexicon.is_compound(lower, head) or _is_low_information(token, head):
        return True
    if token.pos_ == "NOUN":
        return not lexicon.is_descriptive(lower) or (animate and lexicon.listed("material", lower))
    if "-" in lower:
        if any(lexicon.listed("color", part) for part in lower.split("-")):
            return False
        return not lower.endswith("ed") and lexicon.is_physical(lower, known_only=True)
    return token.tag_ == "VBG" and token.dep_ == "compound"


def _is_low_information(token: Token, head: str) -> bool:
    """A wall or a surface is an object only with its material ("brick wall")."""
    return lexicon.listed("low_information", head) and lexicon.listed("material", token.lower_)


def _is_name_number(token: Token) -> bool:
    """A number inside a product name ("iPhone 15 Pro") or a model year ("2019 Toyota")."""
    before = token.nbor(-1) if token.i > 0 else token
    after = token.nbor() if token.i + 1 < len(token.doc) else token
    if before != token and before.pos_ == "PROPN" and before.head in (token.head, token):
        return True
    if before != token and before.text[:1].isalpha() and before.text != before.text.lower():
        return not before.is_sent_start
    year = len(token.text) == 4 and token.text[:2] in ("19", "20")
    return bool(year and after.text[:1].isupper())


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


def _set_quantity(mention: Mention) -> None:
    """Spec 1.2: a stated count is a number, "several" or a bare plural is "uncertain"."""
    if mention.top != mention.noun:
        mention.quantity = _group_quantity(mention)
        return
    words = {child.lower_ for child in mention.noun.lefts}
    stated = _stated(mention.count)
    mention.numbered = isinstance(stated, int) or "both" in words
    if stated is not None:
        mention.quantity = stated
    elif "both" in words:
        mention.quantity = 2
    elif mention.noun.tag_ in ("NNS", "NNPS") and not _is_one(mention.noun):
        mention.quantity = "uncertain"


def _stated(count: list[Token]) -> Quantity | None:
    """The quantity that count words state; None where there are none."""
    if not count:
        return None
    numbers = [number for token in count if (number := parse_number(token.text)) is not None]
    units = [unit for token in count if (unit := lexicon.counted(noun_lemma(token))) is not None]
    if len(numbers) + len(units) != len(count) or len(numbers) > 1:
        return "uncertain"
    stated = math.prod(numbers + units)
    return stated if 1 <= stated <= MAX_COUNT else "uncertain"


def _is_one(noun: Token) -> bool:
    """Plural in form, one thing in fact ("sunglasses")."""
    drinking = any(lexicon.is_compound(child.lower_, "glass") for child in noun.lefts)
    return lexicon.listed("plurale_tantum", noun.lower_) and not drinking


def _group_quantity(mention: Mention) -> Quantity:
    """Quantity of "a pair of shoes", "two slices of cake", "a group of people"."""
    tops, inner, node = [], _stated(mention.count), mention.noun
    while node != mention.top:
        node = node.head.head
        tops.append(node)
    outer: list[Token] = []
    for top in tops:
        tokens = [token for child in top.lefts for token in child.subtree]
        outer += [token for token in tokens if _counts(token)]
        outer += [top] if _counts(top) else []
    mention.count = outer + mention.count
    mention.numbered = True
    if inner is not None:
        return inner
    stated = _stated([token for token in outer if lexicon.counted(token.lower_) is None])
    stated = 1 if stated is None else stated
    for top in tops:
        each = lexicon.counted(noun_lemma(top))
        if each is not None and not _is_one(mention.noun):
            plural_count = top.tag_ == "NNS" and stated == 1
            stated = "uncertain" if plural_count or stated == "uncertain" else stated * each
        elif lexicon.listed("group_noun", noun_lemma(top)) or (top.tag_ == "NNS" and not outer):
            stated = "uncertain" if mention.noun.tag_ in ("NNS", "NNPS") else stated
    return stated


def _counts(token: Token) -> bool:
    lower = token.lower_
    vague = lexicon.listed("vague", lower)
    vague = vague or (lexicon.listed("approximate", lower) and token.pos_ in ("ADV", "ADP"))
    number = parse_number(token.text) is not None or lexicon.counted(noun_lemma(token)) is not None
    return bool(number or vague)
