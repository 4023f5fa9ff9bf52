"""Which mentions speak of the same thing: entities with all their mentions, in text order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.noun_phrases import Mention, noun_lemma
from schemas.base import Quantity

if TYPE_CHECKING:
    from spacy.tokens import Token

_SUMMARY = ("overall", "in summary", "in conclusion", "in essence", "to sum up")
_IDENTITY = {"be", "appear", "seem", "resemble", "become", "look", "represent"}
_SUBJECTS = {"nsubj", "nsubjpass"}
_MASCULINE, _FEMININE = {"he", "him", "his", "himself"}, {"she", "her", "hers", "herself"}
_SIDES = {"left", "right", "foreground", "background", "front", "back", "middle", "center"}
_TOPICS = {
    "image", "photo", "photograph", "picture", "subject", "focus", "object", "item", "thing",
    "element", "center", "centerpiece", "highlight", "star", "part", "feature", "scene", "addition",
}  # fmt: skip
_HEDGES = {"likely", "possibly", "probably", "perhaps", "maybe", "apparently", "presumably"}
_NEUTER = {"it", "its", "itself"}


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


class Linker:
    """Collects entities while it walks over the mentions of a text in order."""

    def __init__(self) -> None:
        self.entities: list[Entity] = []
        self._by_noun: dict[int, Entity] = {}

    def entity_of(self, noun: Token) -> Entity | None:
        """The entity that a noun or pronoun was linked to."""
        return self._by_noun.get(noun.i)

    def add(self, mention: Mention, claimed: bool) -> Entity | None:
        """Link a mention to its entity; a claimed one that fits none starts a new entity."""
        if mention.determiner == "pronoun":
            return self._link(mention, self._antecedent(mention))
        if is_alternative(mention):
            return self._link(mention, self.entity_of(mention.top.head))
        subject = identity_subject(mention)
        if subject is not None:
            known = self.entity_of(subject)
            if known is not None:
                return self._identify(known, mention)
            if subject.pos_ == "NOUN" and noun_lemma(subject) not in _TOPICS:
                return None
        if _is_hedged(mention):
            here = [e for e in self.entities if e.mentions[-1].noun.sent == mention.noun.sent]
            for entity in reversed(here):
                if is_finer(mention, entity.names):
                    return self._identify(entity, mention)
        found = self._same_thing(mention)
        if found is None and claimed:
            found = Entity(mention, mention.quantity)
            self.entities.append(found)
        return self._link(mention, found)

    def _link(self, mention: Mention, entity: Entity | None) -> Entity | None:
        if entity is not None:
            entity.mentions.append(mention)
            self._by_noun[mention.noun.i] = entity
            self._by_noun[mention.top.i] = entity
        return entity

    def _identify(self, entity: Entity, mention: Mention) -> Entity | None:
        """"X is a Y": Y names X, more finely or more coarsely; an unrelated Y is no claim."""
        if not is_finer(mention, entity.names):
            if not lexicon.is_kind_of(entity.names.kind, mention.lemma):
                return None
        else:
            entity.names = mention
        return self._link(mention, entity)

    def _same_thing(self, mention: Mention) -> Entity | None:
        """The earlier entity that a noun phrase speaks of again, if there is one."""
        if mention.determiner == "other":
            return self._group_for_member(mention)
        if mention.determiner == "the":
            return self._definite(mention)
        for entity in reversed(self.entities):
            same = entity.lemma == mention.lemma and _fits(entity, mention)
            if same and _is_the_same_place(entity, mention):
                return entity
            if same and (_sums_up(mention) or _repeats(entity, mention)):
                return entity
        return self._group_for_member(mention)

    def _group_for_member(self, mention: Mention) -> Entity | None:
        """"two elephants … a large elephant": a single one of a group told before."""
        if mention.plural:
            return None
        for entity in reversed(self.entities):
            first = entity.mentions[0].noun
            if not entity.plural or first.sent == mention.noun.sent:
                continue
            related = lexicon.is_kind_of(mention.kind, entity.lemma) and _fits(entity, mention)
            if related and (entity.quantity == "uncertain" or entity.members < entity.quantity):
                entity.members += 1
                return entity
        return None

    def _definite(self, mention: Mention) -> Entity | None:
        """The antecedent of "the X": same noun first, then a kind of it, then a person."""
        near = [entity for entity in self.entities if not _apart(entity, mention)]
        ranked = sorted(near, key=lambda entity: self._rank(entity, mention))
        checks = [_same_noun, _same_kind, _same_person]
        if ranked and not _possessed(mention):
            for check in checks:
                for entity in ranked:
                    if check(entity, mention):
                        return self._refine(entity, mention)
        elif ranked:
            same = [entity for entity in ranked if _same_noun(entity, mention)]
            return self._refine(same[0], mention) if same else None
        return None

    def _refine(self, entity: Entity, mention: Mention) -> Entity:
        """Take over the finer name and the stated number of a later mention."""
        if is_finer(mention, entity.names) and mention.plural == entity.plural:
            entity.names = mention
        if entity.quantity == "uncertain" and mention.numbered:
            entity.quantity = mention.quantity
        return entity

    def _rank(self, entity: Entity, mention: Mention) -> tuple[int, int, int, int]:
        """Best first: not contradicted in colour, shares adjectives, agrees in number, recent."""
        said = {word for m in entity.mentions for word in m.adjectives}
        own = set(mention.adjectives)
        clash = _colors(said) and _colors(own) and not _colors(said) & _colors(own)
        number = entity.plural != mention.plural
        return int(bool(clash)), -len(said & own), int(number), -entity.mentions[-1].noun.i

    def _antecedent(self, mention: Mention) -> Entity | None:
        """The entity a pronoun stands for: near, prominent, of its number and gender."""
        best: tuple[float, Entity] | None = None
        for entity in self.entities:
            if not _agrees(entity, mention):
                continue
            score = max(_salience(earlier, mention) for earlier in entity.mentions)
            if best is None or score > best[0]:
                best = (score, entity)
        return best[1] if best and best[0] > 0 else None


def _is_hedged(mention: Mention) -> bool:
    """"…, possibly a gazebo": another name for something in the same sentence."""
    start = mention.noun.left_edge.i
    return any(
        mention.noun.doc[index].lower_ in _HEDGES for index in (start, start - 1) if index > 0
    )


def is_alternative(mention: Mention) -> bool:
    """The second name in "a pond or a small lake": the first one is the claim."""
    first = mention.top.head
    return mention.top.dep_ == "conj" and any(c.dep_ == "cc" and c.lower_ == "or" for c in first.children)


def identity_subject(mention: Mention) -> Token | None:
    """The noun that "… is a Y", "…, likely a Y," or "… called a Y" identifies with Y."""
    top = mention.top
    head = top.head
    if top.dep_ == "appos":
        return head if head.pos_ in ("NOUN", "PROPN", "PRON", "NUM") else None
    verb = head
    if top.dep_ == "oprd" and head.lemma_ in ("call", "name", "know", "label"):
        return head.head if head.dep_ == "acl" else _subject(head)
    if top.dep_ == "pobj":
        if head.lower_ not in ("like", "as") or head.head.lemma_ not in ("look", "identify", "know"):
            return None
        verb = head.head
    elif top.dep_ == "dobj":
        if head.lemma_ not in ("resemble", "represent"):
            return None
    elif top.dep_ not in ("attr", "oprd"):
        return None
    if verb.lemma_ not in _IDENTITY | {"identify", "know"}:
        return None
    return _subject(verb)


def _subject(verb: Token) -> Token | None:
    """The subject of a verb, through "appears to be" and relative pronouns."""
    if any(child.dep_ == "expl" for child in verb.children):
        return None
    for child in verb.lefts:
        if child.dep_ in _SUBJECTS:
            if child.lower_ in ("which", "that", "who"):
                return verb.head if verb.dep_ == "relcl" else None
            return child
    if verb.dep_ == "xcomp" and verb.head.pos_ in ("VERB", "AUX"):
        if verb.head.dep_ == "relcl" and not any(c.dep_ in _SUBJECTS for c in verb.head.lefts):
            return verb.head.head
        return _subject(verb.head)
    if verb.dep_ in ("relcl", "acl"):
        return verb.head
    if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX"):
        return _subject(verb.head)
    return None


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


def _fits(entity: Entity, mention: Mention) -> bool:
    """Whether the category modifiers of the two agree ("coffee table" is no "dining table")."""
    first = {t.lower_ for t in entity.names.category} - {entity.names.noun.lower_}
    second = {t.lower_ for t in mention.category} - {mention.noun.lower_}
    return first <= second or second <= first


def _same_noun(entity: Entity, mention: Mention) -> bool:
    lemmas = {m.lemma for m in entity.mentions if m.determiner != "pronoun"}
    if mention.numbered and isinstance(mention.quantity, int) and isinstance(entity.quantity, int):
        if mention.quantity != entity.quantity:
            return False
    described = {word for m in entity.mentions for word in m.adjectives}
    if len(mention.category) == 1 and mention.lemma in described:
        return True
    words = {t.lower_ for m in entity.mentions for t in m.category}
    inside = len(mention.category) == 1 and mention.noun.is_title and mention.noun.lower_ in words
    return (mention.lemma in lemmas and _fits(entity, mention)) or inside


def _same_kind(entity: Entity, mention: Mention) -> bool:
    """"the animal" for a horse, "the golden retriever" for a dog."""
    if entity.plural != mention.plural and not entity.plural:
        return False
    if _sexes_differ(entity, mention) or lexicon.listed("representation", entity.lemma):
        return False
    coarser = len(mention.category) == 1 and lexicon.is_kind_of(entity.names.kind, mention.lemma)
    finer = lexicon.is_kind_of(mention.kind, entity.lemma)
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


def _same_person(entity: Entity, mention: Mention) -> bool:
    """"the skier" for a person told before, whatever the two words are."""
    if not entity.person or not lexicon.is_person(mention.lemma):
        return False
    if mention.plural and not entity.plural:
        return False
    return not _sexes_differ(entity, mention)


def _apart(entity: Entity, mention: Mention) -> bool:
    """"the man on the left" is not "the man on the right"."""
    here = _sides(mention)
    if entity.plural or not here:
        return False
    there = {side for earlier in entity.mentions for side in _sides(earlier)}
    return bool(there) and not here & there


def _sides(mention: Mention) -> set[str]:
    nouns = [prep for prep in mention.noun.rights if prep.dep_ == "prep"]
    return {t.lower_ for prep in nouns for t in prep.subtree if t.lower_ in _SIDES}


def _is_the_same_place(entity: Entity, mention: Mention) -> bool:
    """"in a grassy field … on a green field": scenery told twice is one."""
    place = lexicon.listed("place", mention.lemma) and mention.determiner in ("a", "bare")
    return place and entity.mentions[0].noun.sent != mention.noun.sent and not mention.count


def _sexes_differ(entity: Entity, mention: Mention) -> bool:
    lemmas = {m.lemma for m in entity.mentions}
    male = any(lexicon.listed("male", lemma) for lemma in lemmas)
    female = any(lexicon.listed("female", lemma) for lemma in lemmas)
    if lexicon.listed("male", mention.lemma):
        return female
    return lexicon.listed("female", mention.lemma) and male


def _possessed(mention: Mention) -> bool:
    """"his surfboard": no kind of some other thing that was told before."""
    return any(child.dep_ == "poss" for child in mention.noun.lefts)


def _sums_up(mention: Mention) -> bool:
    """A closing sentence tells what was told before."""
    sentence = mention.noun.sent.text.strip().lower()
    return sentence.startswith(_SUMMARY) or "overall" in sentence[:20]


def _repeats(entity: Entity, mention: Mention) -> bool:
    """A bare plural or mass noun told again ("trees … with trees")."""
    return mention.determiner == "bare" and mention.plural == entity.plural and not mention.count


def _colors(words: set[str]) -> set[str]:
    return {word for phrase in words for word in phrase.split() if lexicon.listed("color", word)}


def _agrees(entity: Entity, mention: Mention) -> bool:
    """Number, gender and personhood of a pronoun."""
    word = mention.noun.lower_
    if word in _NEUTER:
        return not entity.person and (not entity.plural or _told_of_one(entity))
    if word in _MASCULINE | _FEMININE:
        wrong = "female" if word in _MASCULINE else "male"
        lemmas = {m.lemma for m in entity.mentions}
        return entity.person and not any(lexicon.listed(wrong, lemma) for lemma in lemmas)
    if word in ("they", "them", "their", "themselves"):
        return entity.plural or entity.person
    return entity.plural


def _told_of_one(entity: Entity) -> bool:
    """Whether the latest mention of a group speaks of a single member."""
    named = [mention for mention in entity.mentions if mention.determiner != "pronoun"]
    return not named[-1].plural


def _salience(earlier: Mention, pronoun: Mention) -> float:
    """How well an earlier mention serves as antecedent; 0 or less: not at all."""
    here, there = pronoun.noun, earlier.noun
    sentences = list(here.doc.sents)
    distance = _sentence_index(here, sentences) - _sentence_index(there, sentences)
    if distance > 3 or there.i >= here.i or _governs(earlier.top, here):
        return 0.0
    subject = earlier.top.dep_ in _SUBJECTS or _is_topic(earlier)
    prominent = here.dep_ in _SUBJECTS or here.dep_ == "poss"
    score = 10.0 - 3.0 * distance + 0.001 * there.i
    if distance == 0 and not prominent:
        return score + 0.01 * there.i
    return score + (2.0 if subject else 0.0) + (0.5 if earlier.plural == pronoun.plural else 0.0)


def _is_topic(mention: Mention) -> bool:
    """"The image shows a cat": its object is what the text is about."""
    head = mention.top.head
    if mention.top.dep_ in ("dobj", "attr"):
        subjects = [noun_lemma(c) for c in head.lefts if c.dep_ in _SUBJECTS | {"expl"}]
        return any(lexicon.listed("meta", lemma) or lemma == "there" for lemma in subjects)
    return mention.top.dep_ == "pobj" and lexicon.listed("meta", noun_lemma(head.head))


def _governs(top: Token, pronoun: Token) -> bool:
    """A phrase does not refer to itself: "a napkin beside it"."""
    return pronoun.dep_ == "pobj" and top in pronoun.ancestors and pronoun.head.head == top


def _sentence_index(token: Token, sentences: list[object]) -> int:
    return sentences.index(token.sent)
