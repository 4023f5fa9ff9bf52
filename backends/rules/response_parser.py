"""The response parser by rules: one text to the objects it claims (GranFact C.1, spec 1.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from backends.rules import lexicon
from backends.rules.attributes import part_facts, stated_facts
from backends.rules.coreference import Linker
from backends.rules.entities import Entity
from backends.rules.identity import is_alternative
from backends.rules.language import read
from backends.rules.mention import Mention
from backends.rules.noun_phrases import find_mentions
from backends.rules.scope import is_claimed, scope_of
from schemas.entity import Domain, ParsedResponse, ParseInput, PredictedEntity

MAX_ENTITIES = 60
MAX_ATTRIBUTES = 40
_SCENIC: tuple[Domain | None, ...] = (None, "plants", "landmarks")


@dataclass(eq=False)
class Claim:
    """A claimed object with everything the text says of it; `mentions` in text order."""

    entity: Entity
    mentions: list[Mention]
    parts: list[Mention] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)

    @property
    def category(self) -> str:
        """The most specific name that the text gives."""
        return self.entity.names.text[:200].strip()

    def predicted(self) -> PredictedEntity:
        """The claim as the schema has it."""
        facts = {fact.lower(): fact for fact in reversed(self.facts) if fact.strip()}
        attributes = tuple(reversed(facts.values()))[:MAX_ATTRIBUTES]
        return PredictedEntity(
            category=self.category, quantity=self.entity.quantity, attributes=attributes
        )


def parse(item: ParseInput) -> ParsedResponse:
    """List the claimed objects in order of first mention.

    A domain is a mild filter: outside of plants and landmarks, scenery ("trees", "grass") is
    generic background and is left out; every other object stays. Raises
    ToolkitError("prerequisite") without a spaCy model.
    """
    claims = read_claims(item.response, item.domain)
    return ParsedResponse(entities=tuple(claim.predicted() for claim in claims[:MAX_ENTITIES]))


@lru_cache(maxsize=256)
def read_claims(text: str, domain: Domain | None = None) -> tuple[Claim, ...]:
    """The claims behind `parse`, with the mentions of each; their order is the entities' order."""
    linker = Linker()
    claims: dict[int, Claim] = {}
    parts: list[Mention] = []
    for mention in find_mentions(read(text)):
        scope = scope_of(mention)
        if scope == "part" or _is_animal_coat(mention, linker):
            parts.append(mention)
            continue
        if scope == "none" and mention.determiner != "pronoun":
            continue
        entity = linker.add(mention, claimed=is_claimed(mention))
        if entity is not None:
            claim = claims.setdefault(id(entity), Claim(entity, entity.mentions))
            if not is_alternative(mention):
                claim.facts += stated_facts(mention)
    for part in parts:
        owner = _owner(part, linker)
        if owner is not None:
            claims[id(owner)].parts.append(part)
            claims[id(owner)].facts += part_facts(part)
    kept = [claims[id(entity)] for entity in linker.entities]
    return tuple(claim for claim in kept if _in_domain(claim, domain))


def _in_domain(claim: Claim, domain: Domain | None) -> bool:
    lemmas = {mention.lemma for mention in claim.mentions}
    return domain in _SCENIC or not any(lexicon.listed("scenery", lemma) for lemma in lemmas)


def _is_animal_coat(mention: Mention, linker: Linker) -> bool:
    """A coat is a garment unless an animal has it."""
    owner = _owner(mention, linker) if mention.lemma == "coat" else None
    return owner is not None and not owner.person and lexicon.is_animate(owner.lemma)


def _owner(part: Mention, linker: Linker) -> Entity | None:
    """Whose part it is: "its eyes", "eyes of the cat", "a cat with green eyes", "has eyes"."""
    for child in part.noun.lefts:
        if child.dep_ == "poss":
            return linker.entity_of(child)
    for prep in part.noun.rights:
        if prep.lower_ == "of":
            objects = [child for child in prep.rights if child.dep_ == "pobj"]
            if objects and linker.entity_of(objects[0]) is not None:
                return linker.entity_of(objects[0])
    node = part.top
    while node.dep_ != "ROOT":
        node = node.head
        found = linker.entity_of(node)
        if found is not None:
            return found
        for child in node.lefts:
            if child.dep_ in ("nsubj", "nsubjpass") and child != part.top:
                return linker.entity_of(child)
    return None
