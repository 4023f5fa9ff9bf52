"""Which mentions speak of the same thing: entities with all their mentions, in text order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.entities import (
    TOO_GENERAL,
    Entity,
    apart,
    colors,
    fits,
    is_finer,
    is_same_or_coarser,
    is_the_same_place,
    only_counts,
    possessed,
    repeats,
    same_kind,
    same_noun,
    same_person,
    sums_up,
    tells_more,
)
from backends.rules.identity import identity_subject, is_alternative, is_hedged
from backends.rules.mention import Mention, noun_lemma
from backends.rules.pronouns import agrees, near_sentences, salience

if TYPE_CHECKING:
    from spacy.tokens import Token


_TOPICS = {
    "image", "photo", "photograph", "picture", "subject", "focus", "object", "item", "thing",
    "element", "center", "centerpiece", "highlight", "star", "part", "feature", "scene", "addition",
}  # fmt: skip


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
        if is_hedged(mention):
            here = [e for e in self.entities if e.mentions[-1].sentence == mention.sentence]
            for entity in reversed(here):
                if is_finer(mention, entity.names):
                    return self._identify(entity, mention)
        found = self._same_thing(mention) if claimed else self._spoken_of(mention)
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
        """ "X is a Y": Y names X, more finely or more coarsely; an unrelated Y is no claim."""
        if not is_finer(mention, entity.names):
            if not lexicon.is_kind_of(entity.names.kind, mention.lemma):
                return None
        else:
            entity.names = mention
        return self._link(mention, entity)

    def _spoken_of(self, mention: Mention) -> Entity | None:
        """What a phrase outside of any claim speaks of ("facing the camera"): no new name."""
        if mention.determiner != "the":
            return self._same_thing(mention)
        return next((e for e in reversed(self.entities) if is_same_or_coarser(e, mention)), None)

    def _same_thing(self, mention: Mention) -> Entity | None:
        """The earlier entity that a noun phrase speaks of again, if there is one."""
        if mention.determiner == "other":
            return self._group_for_member(mention)
        if mention.determiner == "the":
            return self._definite(mention)
        closing = sums_up(mention)
        for entity in reversed(self.entities):
            same = entity.lemma == mention.lemma and fits(entity, mention)
            if same and (is_the_same_place(entity, mention) or tells_more(entity, mention)):
                return entity
            if same and entity.quantity == "uncertain" and only_counts(mention):
                return self._refine(entity, mention)
            if same and (closing or repeats(entity, mention)):
                return entity
        return self._group_for_member(mention)

    def _group_for_member(self, mention: Mention) -> Entity | None:
        """ "two elephants … a large elephant": a single one of a group told before."""
        if mention.plural:
            return None
        for entity in reversed(self.entities):
            if not entity.plural or entity.mentions[0].sentence == mention.sentence:
                continue
            kind = mention.lemma == entity.lemma or entity.lemma not in TOO_GENERAL
            related = kind and lexicon.is_kind_of(mention.kind, entity.lemma)
            related = related and fits(entity, mention)
            if related and (entity.quantity == "uncertain" or entity.members < entity.quantity):
                entity.members += 1
                return entity
        return None

    def _definite(self, mention: Mention) -> Entity | None:
        """The antecedent of "the X": same noun first, then a kind of it, then a person."""
        near = [entity for entity in self.entities if not apart(entity, mention)]
        ranked = sorted(near, key=lambda entity: self._rank(entity, mention))
        checks = [same_noun, same_kind, same_person]
        if ranked and not possessed(mention):
            for check in checks:
                for entity in ranked:
                    if check(entity, mention):
                        return self._refine(entity, mention)
        elif ranked:
            same = [entity for entity in ranked if same_noun(entity, mention)]
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
        clash = colors(said) and colors(own) and not colors(said) & colors(own)
        number = entity.plural != mention.plural
        return int(bool(clash)), -len(said & own), int(number), -entity.mentions[-1].noun.i

    def _antecedent(self, mention: Mention) -> Entity | None:
        """The entity a pronoun stands for: near, prominent, of its number and gender."""
        best: tuple[float, Entity] | None = None
        near = near_sentences(mention)
        for entity in self.entities:
            if not agrees(entity, mention):
                continue
            score = max(salience(earlier, mention, near) for earlier in entity.mentions)
            if best is None or score > best[0]:
                best = (score, entity)
        return best[1] if best and best[0] > 0 else None
