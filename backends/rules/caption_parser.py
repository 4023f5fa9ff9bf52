"""The caption parser by rules: one caption to its scene graph (FINER section 2.2, spec 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from backends.rules import lexicon
from backends.rules.grammar import article
from backends.rules.graph_facts import Fact, facts_of, part_facts
from backends.rules.graph_nodes import Node, Scene
from backends.rules.graph_phrases import adjective_phrase, part_phrase, plain_name
from backends.rules.graph_words import listed
from backends.rules.language import read
from backends.rules.mention import Mention
from schemas.finer import CaptionInput
from schemas.scene_graph import Relation, SceneGraphAnswer, SceneObject

_SINGLE = {"color", "size", "age", "gender", "posture", "height", "length", "width"}
MAX_OBJECTS, MAX_ATTRIBUTES, MAX_RELATIONS = 60, 40, 120


def parse(item: CaptionInput) -> SceneGraphAnswer:
    """The objects that the caption states, with attributes and relations.

    With a sentence, what this sentence states under the names that the whole caption gives.
    Raises ToolkitError("prerequisite") without a spaCy model.
    """
    text, start = item.caption, 0
    end = len(text)
    if item.sentence is not None:
        start = text.find(item.sentence)
        end = start + len(item.sentence)
        if start < 0:
            text, start, end = item.sentence, 0, len(item.sentence)
    return _Graph(Scene(read(text)), start, end).answer()


@dataclass
class _Draft:
    """An object in the making; `stated` if the span names it."""

    node: Node
    attributes: list[str] = field(default_factory=list)
    stated: bool = False


class _Graph:
    """Collects what is stated between two character offsets."""

    def __init__(self, scene: Scene, start: int, end: int) -> None:
        self._scene, self._start, self._end = scene, start, end
        self._drafts = {id(node): _Draft(node) for node in scene.nodes}
        self._relations: dict[tuple[int, int], tuple[Node, str, Node]] = {}
        for node in scene.nodes:
            self._collect(node)

    def _collect(self, node: Node) -> None:
        draft = self._drafts[id(node)]
        for mention in filter(self._inside, node.mentions):
            draft.stated = True
            if mention is node.names:
                for words in plain_name(mention)[1]:
                    self._attribute(draft, adjective_phrase(words))
            for fact in facts_of(mention):
                if not _points_back(mention, fact):
                    self._fact(draft, fact)
        for part in filter(self._inside, node.parts):
            for phrase in _part_phrases(part, node):
                draft.stated = True
                self._attribute(draft, phrase)

    def _inside(self, mention: Mention) -> bool:
        return self._start <= mention.noun.idx < self._end

    def _fact(self, draft: _Draft, fact: Fact) -> None:
        other = self._scene.node_of(fact.target) if fact.target is not None else None
        if fact.attribute and listed("clothing", draft.node.lemma) and not _is_look(fact.attribute):
            return
        if fact.attribute == "an open state" and _is_ground(draft.node):
            return
        if other is None or not _nameable(other):
            self._attribute(draft, fact.attribute)
        elif other is draft.node:
            return
        elif fact.owns or _is_dressed(draft.node, fact, other):
            self._own(draft, other)
        elif fact.relation and not _is_loose(draft.node, fact):
            self._relate(draft.node, fact.relation, other)

    def _own(self, draft: _Draft, other: Node) -> None:
        if draft.node.person and listed("clothing", other.lemma):
            self._relate(draft.node, "is wearing", other)
        elif not other.scenery:
            name = other.name
            self._attribute(draft, name if other.plural else f"{article(name)} {name}")

    def _relate(self, subject: Node, relation: str, target: Node) -> None:
        key = id(subject), id(target)
        former = self._relations.get(key)
        if former is None:
            self._relations[key] = subject, relation, target

    def _attribute(self, draft: _Draft, phrase: str | None) -> None:
        """Add a phrase unless another one says as much; a longer one takes its place."""
        if not phrase or len(phrase) > 200:
            return
        words = set(phrase.split()) - {"a", "an"}
        for place, former in enumerate(draft.attributes):
            said = set(former.split()) - {"a", "an"}
            if words <= said or said < words:
                draft.attributes[place] = former if words <= said else phrase
                return
            if _contradict(phrase, former):
                return
        draft.attributes.append(phrase)

    def answer(self) -> SceneGraphAnswer:
        """Only what is stated, and what its relations point at."""
        linked = {id(node) for subject, _, target in self._relations.values()
                  for node in (subject, target)}  # fmt: skip
        names: set[str] = set()
        kept = []
        for key, draft in self._drafts.items():
            told = bool(draft.attributes) or key in linked
            name = draft.node.name.lower()
            if _nameable(draft.node) and (told or (draft.stated and not draft.node.scenery)):
                # A thing without any fact is the one of that name told before.
                if told or name not in names:
                    kept.append(draft)
                names.add(name)
        kept = kept[:MAX_OBJECTS]
        index = {id(draft.node): number for number, draft in enumerate(kept)}
        relations = tuple(
            Relation(
                subject=index[id(subject)],
                relation=f"are {text.removeprefix('is ')}" if subject.plural else text,
                object=index[id(target)],
            )
            for subject, text, target in self._relations.values()
            if id(subject) in index and id(target) in index
        )
        objects = tuple(
            SceneObject(name=d.node.name, attributes=tuple(d.attributes[:MAX_ATTRIBUTES]))
            for d in kept
        )
        return SceneGraphAnswer(objects=objects, relations=relations[:MAX_RELATIONS])


def _contradict(phrase: str, former: str) -> bool:
    """Two colors, sizes or postures: one of them is said of something else."""
    last = phrase.split()[-1]
    return last in _SINGLE and last == former.split()[-1]


def _is_look(phrase: str) -> bool:
    """A worn thing has a look; postures that the parser gives it are its wearer's."""
    words = phrase.split()
    return words[0] in ("a", "an", "made", "covered") and words[-1] != "posture"


def _is_ground(node: Node) -> bool:
    """An open field is no open door."""
    return node.scenery or lexicon.listed("place", node.lemma)


def _nameable(node: Node) -> bool:
    name = node.name
    return name[:1].isalnum() and not listed("never", node.lemma)


def _points_back(mention: Mention, fact: Fact) -> bool:
    """A pronoun after coordinated subjects ("the road and the path … in front of it")."""
    pronoun = fact.target is not None and fact.target.pos_ == "PRON"
    return pronoun and (mention.top.dep_ == "conj" or any(
        child.dep_ == "conj" for child in mention.top.rights
    ))  # fmt: skip


def _is_dressed(node: Node, fact: Fact, other: Node) -> bool:
    """ "a person in an orange shirt"."""
    return node.person and fact.relation == "is in" and listed("clothing", other.lemma)


def _is_loose(node: Node, fact: Fact) -> bool:
    """ "on the wall above the chair": it is not the wall that is above; no ski wears boots."""
    if fact.relation == "is wearing" and not node.animate:
        return True
    return len((fact.relation or "").split()) == 2 and node.lemma in ("wall", "sky", "floor")


def _part_phrases(part: Mention, node: Node) -> list[str]:
    """A part as attributes of its owner."""
    looks, state = part_facts(part)
    possessors = [c.lower_ for c in part.noun.lefts if c.dep_ == "poss" and c.pos_ == "PRON"]
    own = possessors[0] if possessors else "their" if node.plural or node.person else "its"
    phrase = part_phrase(part, looks, state, own)
    return [phrase] if phrase else []
