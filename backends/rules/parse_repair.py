"""Repairs of the small model's typical mistakes on captions, on the dependency tree itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.rules import lexicon

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token

_FINITE = {"VBZ", "VBP", "VBD", "MD"}
_NOUNS = ("NOUN", "PROPN")
_POSTURES = {
    "stand", "stands", "rest", "rests", "lie", "lies", "sit", "sits", "hang", "hangs", "lean",
    "leans", "float", "floats", "fly", "flies", "park", "rise", "rises", "surround", "line",
    "sleep", "sleeps", "walk", "walks", "jump", "jumps", "swim", "swims",
    "sink", "sinks", "shine", "shines", "stretch", "stretches", "spread", "spreads", "run", "runs",
    "fill", "fills", "cover", "covers", "glow", "glows", "play", "plays", "bloom", "blooms",
}  # fmt: skip


def repaired(nlp: Language, doc: Doc) -> Doc:
    """`doc` with mistaken words parsed again and mistaken noun phrases joined or split."""
    swaps = _swaps(doc)
    if swaps:
        doc = _parse_with(nlp, doc, swaps)
    tree = _Tree.of(doc)
    for index in range(len(doc)):
        _join_compound(tree, index)
        _split_coordination(tree, index)
        _join_list(tree, index)
        _lower_conjunct(tree, index)
    return tree.doc(doc) if tree.changed else doc


def _swaps(doc: Doc) -> dict[int, str]:
    """Words that the tagger mistook, with an unmistakable stand-in of the right kind."""
    swaps = {}
    for sentence in doc.sents:
        finite = any(token.tag_ in _FINITE for token in sentence)
        for token in sentence[1:]:
            if _is_missed_verb(token, finite):
                swaps[token.i] = "exists" if token.lower_.endswith("s") else "exist"
            elif _is_missed_participle(token):
                swaps[token.i] = "sitting"
            elif _is_missed_noun(token):
                swaps[token.i] = "table"
    return swaps


def _is_missed_verb(token: Token, finite: bool) -> bool:
    """A posture word in a noun phrase ("Books and a vase stand on a shelf")."""
    if token.lower_ not in _POSTURES:
        return False
    before = [child for child in token.lefts if child.dep_ in ("amod", "compound")]
    if token.pos_ == "VERB":
        return any(child.dep_ == "amod" for child in before)
    if token.pos_ != "NOUN":
        return False
    # "a croissant rest", "the golden sun sinks": the noun in front is the subject.
    own_subject = any(
        lexicon.is_physical(child.lower_, known_only=True)
        and not lexicon.is_adjective(child.lower_)
        and not lexicon.is_compound(child.lower_, token.lemma_)
        for child in before
    )
    return own_subject or not finite


def _is_missed_participle(token: Token) -> bool:
    """ "a conga drum resting on a chair" with "resting" taken for the noun."""
    if token.tag_ != "NN" or not token.lower_.endswith("ing") or token.i + 1 == len(token.doc):
        return False
    before = token.nbor(-1)
    subject = before.dep_ == "compound" and before.head == token and token.nbor().pos_ == "ADP"
    name = lexicon.is_compound(before.lower_, token.lower_) or token.lower_ in (
        "painting",
        "building",
    )
    return subject and not name and lexicon.is_physical(before.lower_, known_only=True)


def _is_missed_noun(token: Token) -> bool:
    """A noun after an article that was tagged as an adjective ("a croissant")."""
    if token.pos_ != "ADJ" or token.nbor(-1).pos_ != "DET" or not token.is_lower:
        return False
    following = token.nbor() if token.i + 1 < len(token.doc) else token
    modifies = following.pos_ in (*_NOUNS, "ADJ", "PUNCT", "NUM")
    if modifies and following.lower_ not in _POSTURES:
        return False
    return lexicon.is_physical(token.lower_, known_only=True) and not lexicon.is_adjective(
        token.lower_
    )


def _parse_with(nlp: Language, doc: Doc, swaps: dict[int, str]) -> Doc:
    """Parse the text with stand-ins for some words, then put the words back."""
    from spacy.tokens import Doc

    words = [swaps.get(token.i, token.text) for token in doc]
    again = Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])
    for _, pipe in nlp.pipeline:
        again = pipe(again)
    tree = _Tree.of(again)
    for index, stand_in in swaps.items():
        lower = doc[index].lower_
        tree.lemmas[index] = lower if stand_in == "table" else _verb_lemma(lower)
    return tree.doc(doc)


def _verb_lemma(form: str) -> str:
    if form.endswith("ing"):
        return form[:-3]
    return form.removesuffix("es") if form.endswith("ches") else form.removesuffix("s")


@dataclass
class _Tree:
    """The annotation of a text as lists that can be changed."""

    words: list[str]
    heads: list[int]
    deps: list[str]
    tags: list[str]
    pos: list[str]
    lemmas: list[str]
    changed: bool = False

    @classmethod
    def of(cls, doc: Doc) -> _Tree:
        return cls(
            words=[token.lower_ for token in doc], heads=[token.head.i for token in doc],
            deps=[token.dep_ for token in doc], tags=[token.tag_ for token in doc],
            pos=[token.pos_ for token in doc], lemmas=[token.lemma_ for token in doc],
        )  # fmt: skip

    def doc(self, original: Doc) -> Doc:
        """A Doc with the words of `original` and this annotation."""
        from spacy.tokens import Doc

        return Doc(
            original.vocab, words=[token.text for token in original],
            spaces=[bool(token.whitespace_) for token in original], heads=self.heads,
            deps=self.deps, tags=self.tags, pos=self.pos, lemmas=self.lemmas,
        )  # fmt: skip

    def children(self, index: int) -> list[int]:
        """Indices of the direct dependents of a token."""
        return [i for i, head in enumerate(self.heads) if head == index and i != index]

    def above(self, index: int) -> set[int]:
        """Indices of all ancestors of a token."""
        found: set[int] = set()
        while self.heads[index] != index:
            index = self.heads[index]
            found.add(index)
        return found

    def attach(self, index: int, head: int, dep: str) -> None:
        """Hang a token on another head."""
        self.heads[index], self.deps[index], self.changed = head, dep, True

    def take_place(self, index: int, other: int) -> None:
        """Hang a token where another one hangs."""
        root = self.heads[other] == other
        self.attach(index, index if root else self.heads[other], self.deps[other])


def _join_compound(tree: _Tree, first: int) -> None:
    """ "a red fire extinguisher mounted on …": two nouns that are one name get one head."""
    second = first + 1
    if second >= len(tree.words) or not {tree.pos[first], tree.pos[second]} <= set(_NOUNS):
        return
    if tree.heads[first] == second or tree.heads[first] == tree.heads[second]:
        return
    if not lexicon.is_compound(tree.words[first], tree.lemmas[second].lower()):
        return
    verb = tree.heads[second]
    participle = tree.tags[verb] in ("VBN", "VBG") and tree.deps[second].startswith("nsubj")
    if first in tree.above(second) or participle:
        tree.take_place(second, first)
        for child in tree.children(first):
            if child != second:
                tree.attach(child, second, tree.deps[child])
        if participle and verb != second:
            tree.attach(verb, second, "acl")
    tree.attach(first, second, "compound")


def _split_coordination(tree: _Tree, noun: int) -> None:
    """ "a long trunk and large ears" parsed as modifiers of "ears": two conjuncts."""
    head = tree.heads[noun]
    if tree.deps[noun] not in ("compound", "nmod") or head <= noun + 2:
        return
    following = noun + 2 if tree.pos[noun + 1] == "NUM" else noun + 1
    comma = tree.words[following] == "," and tree.deps[noun] == "nmod"
    if not (comma or tree.words[following] in ("and", "or")) or tree.pos[noun] not in _NOUNS:
        return
    between = {tree.pos[index] for index in range(following + 1, head)}
    if not between & {"ADJ", "DET", "NUM", "PRON"}:
        return
    for child in tree.children(head):
        if child < noun:
            tree.attach(child, noun, tree.deps[child])
    for index in range(following + 1, head):
        if tree.pos[index] == "ADJ" and not following < tree.heads[index] <= head:
            tree.attach(index, head, "amod")
    tree.take_place(noun, head)
    tree.attach(head, noun, "conj")
    tree.attach(following, noun, "punct" if comma else "cc")
    if following == noun + 2:
        tree.attach(noun + 1, noun, "nummod")


def _join_list(tree: _Tree, index: int) -> None:
    """ "a cup, a spoon and a fork are …": the second noun is a conjunct of the first."""
    if tree.pos[index] not in _NOUNS or index < 2:
        return
    head = tree.heads[index]
    if tree.deps[index] == "appos" and tree.pos[head] in _NOUNS:
        children = tree.children(index)
        if any(tree.deps[child] == "conj" for child in children) and not any(
            tree.words[child] in ("likely", "possibly", "probably") for child in children
        ):
            tree.attach(index, head, "conj")
    elif tree.deps[index] in ("nsubj", "nsubjpass") and index < head:
        earlier = [
            child for child in tree.children(head)
            if child < index and tree.deps[child].startswith("nsubj") and tree.pos[child] in _NOUNS
        ]  # fmt: skip
        if earlier:
            tree.attach(index, earlier[0], "conj")


def _lower_conjunct(tree: _Tree, index: int) -> None:
    """ "a laptop with a keyboard and trackpad": a bare noun joins the noun right before "and"."""
    cc = index - 1
    if tree.deps[index] != "conj" or tree.tags[index] != "NN" or tree.words[cc] != "and":
        return
    before, head = cc - 1, tree.heads[index]
    within = tree.deps[before] == "pobj" and head in tree.above(before)
    if head != before and within and tree.pos[before] in _NOUNS and tree.pos[head] in _NOUNS:
        tree.attach(index, before, "conj")
        tree.attach(cc, before, "cc")
