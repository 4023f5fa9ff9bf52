"""Entities, and whether a later mention can speak of one."""

from __future__ import annotations

from dataclasses import dataclass, field

from backends.rules import lexicon
from backends.rules.mention import Mention
from schemas.base import Quantity

_SUMMARY = ("overall", "in summary", "in conclusion", "in essence", "to sum up")
_SIDES = {"left", "right", "foreground", "background", "front", "back", "middle", "center"}
TOO_GENERAL = {
    "artifact", "object", "structure", "thing", "item", "equipment", "furniture", "clothing",
    "food", "container", "surface", "area", "instrument", "decoration",
}  # fmt: skip
_PLAIN = {"small", "large", "big", "little", "tall", "white", "black"}


@dataclass(eq=False)
class Entity:
    """One claimed thing. `names` is the mention whose words are the category."""

    names: Mention
    quantity: Quantity
    mentions: list[Mention] = field(default_factory=list)
    members: int = 0

    @property
    def lemma(self) -> str:
        """Head noun of the category."""
        return self.names.lemma

    @property
    def plural(self) -> bool:
        """Whether the entity stands for more than one thing."""
        return self.quantity != 1

    @property
    def person(self) -> bool:
        """Whether the entity is human."""
        return any(lexicon.is_person(mention.lemma) for mention in self.mentions)


def is_finer(mention: Mention, names: Mention) -> bool:
    """Whether a mention names the thing more specifically than the present category."""
    new, old = mention.lemma, names.lemma
    if new == old:
        words = {token.lower_ for token in names.category}
        return len(mention.category) > len(names.category) and {
            token.lower_ for token in mention.category
        } >= words - {names.noun.lower_}
    if {t.lower_ for t in mention.category} > {t.lower_ for t in names.category}:
        return True
    if lexicon.is_kind_of(names.kind, new):
        return False
    if lexicon.is_kind_of(mention.kind, old) or lexicon.listed("generic", old):
        return True
    proper = mention.noun.pos_ in ("PROPN", "NUM") or mention.noun.is_title
    return proper and names.noun.pos_ != "PROPN"


def fits(entity: Entity, mention: Mention) -> bool:
    """Whether the category modifiers of the two agree ("coffee table" is no "dining table")."""
    first = {t.lower_ for t in entity.names.category} - {entity.names.noun.lower_}
    second = {t.lower_ for t in mention.category} - {mention.noun.lower_}
    return first <= second or second <= first


def same_noun(entity: Entity, mention: Mention) -> bool:
    """The same noun with agreeing modifiers, or a word of the name ("the Camry")."""
    lemmas = {m.lemma for m in entity.mentions if m.determiner != "pronoun"}
    counted = mention.numbered and "uncertain" not in (mention.quantity, entity.quantity)
    if counted and mention.quantity != entity.quantity:
        return False
    described = {word for m in entity.mentions for word in m.adjectives}
    if len(mention.category) == 1 and mention.lemma in described:
        return True
    words = {t.lower_ for m in entity.mentions for t in m.category}
    inside = len(mention.category) == 1 and mention.noun.is_title and mention.noun.lower_ in words
    return (mention.lemma in lemmas and fits(entity, mention)) or inside


def is_same_or_coarser(entity: Entity, mention: Mention) -> bool:
    """The same noun, or a more general one that adds no name."""
    coarser = len(mention.category) == 1 and lexicon.is_kind_of(entity.names.kind, mention.lemma)
    return same_noun(entity, mention) or (coarser and entity.plural == mention.plural)


def same_kind(entity: Entity, mention: Mention) -> bool:
    """ "the animal" for a horse, "the golden retriever" for a dog."""
    if entity.plural != mention.plural and not entity.plural:
        return False
    if _sexes_differ(entity, mention) or lexicon.listed("representation", entity.lemma):
        return False
    coarser = len(mention.category) == 1 and lexicon.is_kind_of(entity.names.kind, mention.lemma)
    finer = entity.lemma not in TOO_GENERAL and lexicon.is_kind_of(mention.kind, entity.lemma)
    return coarser or finer or _names_unknown(entity, mention)


def _names_unknown(entity: Entity, mention: Mention) -> bool:
    """A proper name that no dictionary has: "the Whippet" for a dog, "the car" for a Zonda."""
    if mention.noun.is_title and not lexicon.is_known(mention.kind):
        return lexicon.is_animate(entity.lemma) or lexicon.is_kind_of(entity.lemma, "vehicle")
    if entity.names.noun.is_lower or lexicon.is_known(entity.names.kind):
        return False
    kinds = ("animal", "vehicle", "device", "building", "plant", "aircraft")
    bare = len(mention.category) == 1 and mention.noun.is_lower
    return bare and any(lexicon.is_kind_of(mention.lemma, kind) for kind in kinds)


def same_person(entity: Entity, mention: Mention) -> bool:
    """ "the skier" for a person told before, whatever the two words are."""
    if not entity.person or not lexicon.is_person(mention.lemma):
        return False
    if mention.plural and not entity.plural:
        return False
    return not _sexes_differ(entity, mention)


def apart(entity: Entity, mention: Mention) -> bool:
    """ "the man on the left" is not "the man on the right"."""
    here = _sides(mention)
    if entity.plural or not here:
        return False
    there = {side for earlier in entity.mentions for side in _sides(earlier)}
    return bool(there) and not here & there


def _sides(mention: Mention) -> set[str]:
    nouns = [prep for prep in mention.noun.rights if prep.dep_ == "prep"]
    return {t.lower_ for prep in nouns for t in prep.subtree if t.lower_ in _SIDES}


def tells_more(entity: Entity, mention: Mention) -> bool:
    """ "The image shows a cat and a laptop. … there is an open laptop": told in detail later."""
    first = entity.mentions[0]
    if mention.plural or entity.plural or mention.determiner != "a":
        return False
    if first.sentence == mention.sentence or len(entity.mentions) > 1:
        return False
    announced = first.sentence == 0 and not first.adjectives
    return announced or bool(set(first.adjectives) & set(mention.adjectives) - _PLAIN)


def only_counts(mention: Mention) -> bool:
    """ "ski poles … holding two ski poles": the later mention only tells how many."""
    return mention.numbered and mention.plural and not mention.adjectives


def is_the_same_place(entity: Entity, mention: Mention) -> bool:
    """ "in a grassy field … on a green field": scenery told twice is one."""
    place = lexicon.listed("place", mention.lemma) and mention.determiner in ("a", "bare")
    return place and entity.mentions[0].sentence != mention.sentence and not mention.count


def _sexes_differ(entity: Entity, mention: Mention) -> bool:
    lemmas = {m.lemma for m in entity.mentions}
    male = any(lexicon.listed("male", lemma) for lemma in lemmas)
    female = any(lexicon.listed("female", lemma) for lemma in lemmas)
    if lexicon.listed("male", mention.lemma):
        return female
    return lexicon.listed("female", mention.lemma) and male


def possessed(mention: Mention) -> bool:
    """ "his surfboard": no kind of some other thing that was told before."""
    return any(child.dep_ == "poss" for child in mention.noun.lefts)


def sums_up(mention: Mention) -> bool:
    """A closing sentence tells what was told before."""
    beginning = mention.noun.sent[:30].text.strip().lower()  # a sentence may be a whole text
    return beginning.startswith(_SUMMARY) or "overall" in beginning[:20]


def repeats(entity: Entity, mention: Mention) -> bool:
    """A bare plural or mass noun told again ("trees … with trees")."""
    return mention.determiner == "bare" and mention.plural == entity.plural and not mention.count


def colors(words: set[str]) -> set[str]:
    """Colour words among adjective phrases."""
    return {word for phrase in words for word in phrase.split() if lexicon.listed("color", word)}
