"""The objects of a caption: mentions linked to nodes, members of a group told apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.coreference import Linker
from backends.rules.entities import Entity
from backends.rules.graph_phrases import plain_name
from backends.rules.graph_words import listed
from backends.rules.identity import HEDGES, identity_subject, is_alternative, is_hedged
from backends.rules.mention import Mention, noun_lemma
from backends.rules.noun_phrases import find_mentions
from backends.rules.scope import is_claimed, scope_of

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_WATERS = {"body", "ocean", "sea", "lake", "river", "pond"}
_DEPICTING = {
    "illustration", "logo", "emblem", "map", "print", "design", "drawing", "label", "cover",
    "poster", "mural", "screen", "page", "pattern",
}  # fmt: skip
_USUALLY = {"typically", "usually", "often", "normally", "commonly", "sometimes", "generally"}
_SEEMING = {"appear", "seem", "look", "resemble", "suggest", "represent"}
_SIDES = {"left", "right", "foreground", "background", "front", "back", "middle", "center"}
_MEMBERS = {"one", "other", "another", "others", "latter", "former"}


@dataclass(eq=False)
class Node:
    """One object: the mentions that state something of it, and its parts."""

    entity: Entity
    names: Mention
    mentions: list[Mention] = field(default_factory=list)
    parts: list[Mention] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name without leading adjectives."""
        name = plain_name(self.names)[0].strip()[:200]
        first, _, last = name.rpartition(" ")
        return first if last in ("indoors", "outdoors") and first else name

    @property
    def lemma(self) -> str:
        """Head noun of the name."""
        return self.names.lemma

    @property
    def plural(self) -> bool:
        """Whether it is several things."""
        return self.names.plural

    @property
    def person(self) -> bool:
        """Whether it is human."""
        return any(lexicon.is_person(mention.lemma) for mention in self.mentions)

    @property
    def animate(self) -> bool:
        """Whether it has a body: a person, an animal, or the likeness of one."""
        lemmas = {mention.lemma for mention in self.mentions} | {self.names.lemma}
        likeness = any(lexicon.listed("representation", lemma) for lemma in lemmas)
        return likeness or "doll" in lemmas or any(map(lexicon.is_animate, lemmas))

    @property
    def scenery(self) -> bool:
        """Whether it counts only with a fact or a relation."""
        return listed("scenery", self.lemma)


class Scene:
    """All nodes of a text in order of first mention."""

    def __init__(self, doc: Doc) -> None:
        self.nodes: list[Node] = []
        self._linker = Linker()
        self._by_noun: dict[int, Node] = {}
        self._members: dict[int, list[Node]] = {}
        parts: list[Mention] = []
        for mention in find_mentions(doc):
            if _is_part(mention) or self._is_coat(mention):
                parts.append(mention)
            elif _is_object(mention) and not _speaks_of_part(mention, parts):
                self._add(mention)
        for part in parts:
            owner = self._owner(part)
            if owner is not None and is_claimed(part) and not is_doubtful(part):
                owner.parts.append(part)

    def node_of(self, noun: Token) -> Node | None:
        """The node that a noun or pronoun speaks of."""
        return self._by_noun.get(noun.i)

    def _is_coat(self, mention: Mention) -> bool:
        """A coat is a garment unless an animal has it."""
        owner = self._owner(mention) if mention.lemma == "coat" else None
        return owner is not None and not owner.person and lexicon.is_animate(owner.lemma)

    def _add(self, mention: Mention) -> None:
        claimed = is_claimed(mention)
        pronoun = mention.determiner == "pronoun"
        if not pronoun and (not claimed or is_doubtful(mention)):
            return
        if mention.lemma == "water" and mention.determiner == "the":
            waters = [node for node in self.nodes if node.lemma in _WATERS]
            if waters:
                self._by_noun[mention.noun.i] = waters[-1]
                return
        if self._is_unclear(mention):
            return
        entity = self._linker.add(mention, claimed)
        if entity is None or self._is_inside(entity, mention):
            return
        node = self._node(entity, mention)
        if node is not None and not (pronoun and self._is_unsure(node, mention)):
            self._by_noun[mention.noun.i] = self._by_noun[mention.top.i] = node
            if claimed:
                node.mentions.append(mention)

    def _is_unsure(self, node: Node, pronoun: Mention) -> bool:
        """ "The bus has a red seat. It …": the bus, or else nothing that can be told."""
        if pronoun.noun.lower_ != "it" or pronoun.noun.dep_ not in ("nsubj", "nsubjpass"):
            return False
        before = pronoun.sentence - 1
        subjects = [
            other
            for other in self.nodes
            for mention in other.mentions
            if mention.top.dep_ in ("nsubj", "nsubjpass")
            and mention.noun.sent.start <= before < mention.noun.sent.end
        ]
        return bool(subjects) and node not in subjects

    def _is_inside(self, entity: Entity, mention: Mention) -> bool:
        """ "a vehicle near the plane": the plane is not the vehicle."""
        known = next((node for node in self.nodes if node.entity is entity), None)
        above = set(mention.top.ancestors)
        if known is None or not any(earlier.top in above for earlier in known.mentions):
            return False
        entity.names = known.names
        return mention.determiner != "pronoun"

    def _is_unclear(self, mention: Mention) -> bool:
        """ "both players", "the device": told again under a name that fits none for certain."""
        if mention.determiner != "the" or len(mention.category) > 1:
            return False
        if any(node.lemma == mention.lemma for node in self.nodes):
            return False
        if lexicon.is_person(mention.lemma):
            return len([node for node in self.nodes if node.person]) > 1
        if mention.lemma == "glass":
            return True
        kinds = [n for n in self.nodes if lexicon.is_kind_of(n.names.kind, mention.lemma)]
        return lexicon.listed("generic", mention.lemma) and len(kinds) != 1

    def _node(self, entity: Entity, mention: Mention) -> Node | None:
        """The entity's own node, or that of a single member of a group."""
        members = self._members.setdefault(id(entity), [])
        if entity.plural and not mention.plural and entity.mentions[0] is not mention:
            return self._member(entity, members, mention)
        if mention.noun.lower_ in _MEMBERS and mention.determiner == "pronoun":
            return None
        clash = _colors(mention) and mention.determiner in ("bare", "a")
        if clash and members and all(_clash(node, mention) for node in members):
            return self._new(entity, members, mention)
        whole = next((node for node in members if node.names is entity.names), None)
        if whole is None:
            whole = next((node for node in members if node.plural == entity.plural), None)
        if whole is None:
            return self._new(entity, members, mention)
        whole.names = entity.names
        return whole

    def _member(self, entity: Entity, members: list[Node], mention: Mention) -> Node | None:
        single = [node for node in members if not node.plural]
        if mention.determiner == "pronoun":
            return single[-1] if single and mention.noun.lower_ not in _MEMBERS else None
        if mention.determiner == "the" and single:
            marks = _marks(mention)
            known = [node for node in single if marks & _marks(node.names)]
            if len(known) == 1 or (len(single) == 1 and not marks):
                return (known or single)[0]
            if not marks or known:
                return None
        return self._new(entity, members, mention)

    def _new(self, entity: Entity, members: list[Node], mention: Mention) -> Node:
        node = Node(entity, mention)
        members.append(node)
        self.nodes.append(node)
        return node

    def _owner(self, part: Mention) -> Node | None:
        """Whose part it is; a body part belongs to something that has a body."""
        for possessor in _possessors(part):
            node = self.node_of(possessor)
            if node is not None:
                return node
        body = listed("body", part.lemma) or listed("body", part.noun.lower_)
        for candidate in _owners(part, body):
            node = self.node_of(candidate)
            if node is not None and (not body or node.animate):
                return node
        return None


def _is_part(mention: Mention) -> bool:
    if mention.determiner == "pronoun" or mention.determiner == "no":
        return False
    return scope_of(mention) == "part" or (
        listed("body", mention.lemma) and mention.lemma not in ("coat", "trunk", "trunks", "body")
    )


def _is_object(mention: Mention) -> bool:
    if mention.determiner == "pronoun":
        return True
    if listed("never", mention.lemma) and len(mention.category) == 1:
        return False
    scenic = listed("scenery", mention.lemma) and mention.noun.pos_ == "NOUN"
    return scenic or scope_of(mention) == "object"


def is_doubtful(mention: Mention) -> bool:
    """Hedged, one of two alternatives, depicted, or what something only looks like."""
    if is_hedged(mention) or is_alternative(mention) or _is_depicted(mention):
        return True
    if _is_supposed(mention):
        return True
    top = mention.top
    for noun in (mention.noun, top):
        if any(child.dep_ == "cc" and child.lower_ == "or" for child in noun.rights):
            return True
    if _is_broken(mention):
        return True
    if identity_subject(mention) is not None and top.dep_ != "appos":
        verb = top.head if top.head.pos_ in ("VERB", "AUX") else top.head.head
        return bool({verb.lemma_, verb.head.lemma_} & _SEEMING)
    verb = top.head
    seeming = verb.lemma_ in _SEEMING or (verb.dep_ == "xcomp" and verb.head.lemma_ in _SEEMING)
    return top.dep_ in ("attr", "xcomp", "dobj") and seeming


def _is_supposed(mention: Mention) -> bool:
    """ "possibly support towers", "appear to be bollards", wherever the parser hung the adverb."""
    doc, start = mention.noun.doc, mention.noun.left_edge.i
    first = mention.sentence
    before = [token.lower_ for token in doc[max(first, mention.noun.i - 5) : mention.noun.i]]
    seeming = [token.lemma_ for token in doc[max(first, start - 3) : start]]
    return bool(HEDGES & set(before)) or (
        seeming[-2:] == ["to", "be"] and bool(_SEEMING & set(seeming))
    )


def _is_broken(mention: Mention) -> bool:
    """A name that the parser made of two ("halter top and dark gray jeans"), or of a verb."""
    first, last = mention.category[len(plain_name(mention)[1])], mention.category[-1]
    if any(token.lower_ in ("and", "or", ",") for token in mention.noun.doc[first.i : last.i]):
        return True
    verb = first.tag_ == "VBG" and first != last
    return verb and not lexicon.is_compound(first.lower_, mention.lemma)


def _is_depicted(mention: Mention) -> bool:
    """ "an illustration of a girl with a bonnet", "typically found on airplanes", "resembling"."""
    node = mention.top
    while node.dep_ != "ROOT":
        above = node.head
        if node.lower_ == "of" and noun_lemma(above) in _DEPICTING:
            return True
        if any(child.lower_ in _USUALLY for child in above.lefts):
            return True
        if above.lower_.startswith("resembl") or above.lower_ in ("like", "unlike"):
            return True
        if above.lower_ == "as" and above.i > 0 and above.nbor(-1).lower_ != "such":
            return True
        if any(child.lower_ == "no" for child in above.lefts):
            return True
        if above.dep_ in ("relcl", "acl") and noun_lemma(above.head) in _DEPICTING:
            return above.lemma_ in ("feature", "show", "depict", "display", "read")
        node = above
    return False


def _colors(mention: Mention) -> set[str]:
    """Colours as the text puts them together ("black and white" is not "orange and black")."""
    phrases = {phrase.lower() for phrase in mention.adjectives}
    return {text for text in phrases if lexicon.listed("color", text.split()[-1])}


def _clash(node: Node, mention: Mention) -> bool:
    said = set[str]().union(*(_colors(earlier) for earlier in node.mentions))
    return bool(said) and not said & _colors(mention)


def _marks(mention: Mention) -> set[str]:
    """What tells one member of a group from another: adjectives and sides."""
    said = {word for phrase in mention.adjectives for word in phrase.split()}
    said |= {token.lower_ for token in mention.category[:-1]}
    near = (token for child in mention.noun.children for token in child.subtree)
    return said | {token.lower_ for token in near if token.lower_ in _SIDES}


def _speaks_of_part(mention: Mention, parts: list[Mention]) -> bool:
    """ "Its roofs are orange, and they curve upward": a pronoun for a part."""
    word = mention.noun.lower_
    if mention.determiner != "pronoun" or word not in ("it", "they", "them"):
        return False
    return any(
        part.sentence == mention.sentence
        and part.top.dep_ in ("nsubj", "nsubjpass")
        and part.plural == (word != "it")
        for part in parts
    )


def _possessors(part: Mention) -> list[Token]:
    """Who surely has a part: "its eyes", "eyes of the cat", "the fig has a skin"."""
    found = [child for child in part.noun.lefts if child.dep_ == "poss"]
    found += [
        noun
        for prep in part.noun.rights if prep.lower_ == "of"
        for noun in prep.rights if noun.dep_ == "pobj"
    ]  # fmt: skip
    top = _first_conjunct(part)
    if top.dep_ == "dobj" and top.head.lemma_ == "have":
        found += [child for child in top.head.lefts if child.dep_ == "nsubj"]
    return found


def _first_conjunct(part: Mention) -> Token:
    node = part.top
    while node.dep_ == "conj":
        node = node.head
    return node


def _owners(part: Mention, body: bool) -> list[Token]:
    """Nouns that may own a part, the nearest first ("a cat with green eyes").

    A part that is a mere place ("on a ledge") belongs to nothing, unless it is one of a body.
    """
    found: list[Token] = []
    node = _first_conjunct(part)
    attached = False
    while node.dep_ != "ROOT":
        node = node.head
        if node.dep_ == "prep" and node.lower_ not in ("with", "of") and not (body or attached):
            break
        if node.lower_ == "with" and not body and node.i > 0:
            attached = True
            found.append(node.nbor(-1))
        found.append(node)
        found += [c for c in node.lefts if c.dep_ in ("nsubj", "nsubjpass") and c != part.top]
    return found
