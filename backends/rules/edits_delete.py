"""Deleting a claim: the smallest grammatical piece that holds it goes (GranFact appendix D.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.grammar import plural_verb, singular_verb
from backends.rules.noun_phrases import NOMINAL, Mention, noun_lemma
from backends.rules.rewrite import Plan

if TYPE_CHECKING:
    from spacy.tokens import Token

_SUBJECTS = {"nsubj", "nsubjpass"}
_CLAUSES = {"relcl", "acl", "advcl"}
_SIDES = {
    "front", "side", "left", "right", "top", "back", "middle", "center", "centre", "edge", "foot",
    "end", "corner", "bottom", "base", "rear", "vicinity", "presence", "direction", "distance",
    "sides", "level", "height", "point",
}  # fmt: skip
_NEEDS_PLACE = {
    "be", "rest", "lean", "hang", "perch", "place", "position", "situate", "locate", "set",
    "mount", "attach", "cover", "fill", "surround", "adorn", "decorate", "dot", "lie", "suspend",
    "flank", "accompany", "top", "equip", "park", "display", "arrange", "tuck", "nestle", "house",
    "sit", "serve", "dress", "line", "frame", "connect", "fix", "hold", "consist", "belong",
    "look", "gaze", "peer", "stare",
}  # fmt: skip
_POSTURE = {"sit", "lie", "park"}
_LOOKING = {"look", "gaze", "peer", "stare"}


class Remover:
    """Takes doomed noun phrases out of the sentences of one plan."""

    def __init__(self, plan: Plan, doomed: list[Mention]) -> None:
        self.plan = plan
        self._doomed = {mention.top.i for mention in doomed} | {m.noun.i for m in doomed}
        self._mentions = doomed

    def remove_all(self) -> None:
        """Remove every doomed phrase that an earlier removal has not taken along."""
        for mention in self._mentions:
            if not self.plan.gone(mention.noun):
                self._remove_mention(mention)

    def _remove_mention(self, mention: Mention) -> None:
        top = mention.top
        if top.dep_ == "poss":
            self._remove_possessor(top)
            return
        members = coordination(top)
        doomed = [member for member in members if member.i in self._doomed]
        if top in members and len(doomed) < len(members):
            self._remove_conjuncts(members, doomed)
        else:
            self.remove_phrase(members[0] if top in members else top)

    def _remove_possessor(self, owner: Token) -> None:
        """"its tail" goes with its owner; "the dog's bowl" becomes "the bowl"."""
        owned = owner.head
        if lexicon.is_part(noun_lemma(owned)) or not lexicon.is_physical(noun_lemma(owned)):
            self.remove_phrase(coordination(owned)[0])
            return
        tokens = list(owner.subtree)
        self.plan.remove(tokens[1:])
        self.plan.replaced[tokens[0].i] = "The" if tokens[0].is_sent_start else "the"

    def _remove_conjuncts(self, members: list[Token], doomed: list[Token]) -> None:
        """Drop some members of a list and set its commas and its "and" anew."""
        left = [member for member in members if member not in doomed]
        word = next((c.text for m in members for c in m.children if c.dep_ == "cc"), "and")
        spans = {member.i: _member_tokens(member, members) for member in members}
        oxford = len(members) > 2 and _comma_before_last(members)
        inside = {token.i for tokens in spans.values() for token in tokens}
        first, last = min(inside), max(inside)
        doc = members[0].doc
        gaps = [doc[i] for i in range(first, last + 1) if i not in inside]
        self.plan.remove([t for t in gaps if t.dep_ in ("cc", "punct") or t.lower_ in ("and", ",")])
        for member in doomed:
            self.plan.remove(spans[member.i])
        if members[-1] in doomed:
            # "jeans and shoes with red laces": a closing description belongs to the last one.
            tails = [child for member in left for child in member.rights if child.i > last]
            described = [t for t in tails if t.lower_ == "with" or t.dep_ in ("relcl", "acl")]
            self.plan.remove([token for tail in described for token in tail.subtree])
        for position, member in enumerate(left[:-1]):
            final = position == len(left) - 2
            comma = "," if len(left) > 2 and (not final or oxford) else ""
            end = max(token.i for token in spans[member.i])
            self.plan.after[end] = f"{comma} {word} " if final else f"{comma} "
            _strip_space(self.plan, doc[end])
        if len(left) == 1:
            self._agree(members[0], left[0])

    def _agree(self, root: Token, left: Token) -> None:
        """Only one subject is left of several: its verb follows its number."""
        verb = root.head
        existential = any(child.dep_ == "expl" for child in verb.children)
        if root.dep_ in _SUBJECTS or (existential and root.dep_ in ("attr", "nsubj")):
            number_verbs(self.plan, verb, plural=left.tag_ in ("NNS", "NNPS"))

    def remove_phrase(self, top: Token) -> None:
        """Remove a whole noun phrase with the construction that needs it."""
        dep, head = top.dep_, top.head
        if dep in _SUBJECTS or dep == "csubj":
            self.remove_clause(head)
        elif dep == "pobj":
            self._remove_preposition(head)
        elif dep in ("dobj", "attr", "oprd", "dative", "acomp"):
            if any(child.dep_ == "expl" for child in head.children):
                self.remove_clause(head)
            else:
                self.remove_predicate(head)
        elif dep in ("appos", "npadvmod"):
            self._cut(list(top.subtree))
        elif dep == "conj" and head.pos_ in ("VERB", "AUX"):
            self._cut(list(top.subtree), coordinated=True)
        else:
            self.plan.remove_sentence(top.sent)

    def remove_clause(self, verb: Token) -> None:
        """Remove a clause whose subject is gone; coordinated clauses with own subjects stay."""
        others = [child for child in verb.children if _is_own_clause(child, self._doomed)]
        if verb.dep_ in ("ROOT", "conj", "ccomp", "parataxis", "advcl") and others:
            kept = {token.i for other in others for token in other.subtree}
            rest = [t for t in verb.subtree if t.i not in kept and not _ends_sentence(t)]
            self._cut(rest, coordinated=verb.dep_ == "conj")
        elif verb.dep_ == "ROOT":
            self.plan.remove_sentence(verb.sent)
        elif verb.dep_ in _CLAUSES:
            self._cut(list(verb.subtree))
        elif verb.dep_ in ("conj", "parataxis") or _is_coordinate_ccomp(verb):
            self._cut(list(verb.subtree), coordinated=True)
        elif verb.dep_ == "pcomp":
            self._remove_preposition(verb.head)
        elif verb.dep_ in ("ccomp", "xcomp", "csubj", "acomp"):
            self.remove_predicate(verb.head)
        else:
            self.plan.remove_sentence(verb.sent)

    def remove_predicate(self, verb: Token) -> None:
        """Remove a verb with what belongs to it; its subject may keep another verb."""
        if verb.dep_ in _CLAUSES:
            self._cut(list(verb.subtree))
            return
        shared = [c for c in verb.rights if c.dep_ == "conj" and c.pos_ in ("VERB", "AUX")]
        shared = [c for c in shared if not any(g.dep_ in _SUBJECTS for g in c.lefts)]
        if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX") and not _has_subject(verb):
            kept = {token.i for child in shared for token in child.subtree}
            self._cut([t for t in verb.subtree if t.i not in kept], coordinated=not shared)
        elif verb.dep_ == "xcomp" and verb.head.lemma_ not in ("appear", "seem", "have"):
            self._cut(list(verb.subtree))
        elif shared and verb.dep_ in ("ROOT", "relcl"):
            self._hand_over(verb, shared[0])
        elif verb.dep_ == "pcomp":
            self._remove_preposition(verb.head)
        else:
            self.remove_clause(verb)

    def _hand_over(self, verb: Token, other: Token) -> None:
        """"wears a hat and holds a cup": the second verb takes the place of the first."""
        auxiliaries = {"aux", "auxpass", *_SUBJECTS, "expl", "mark"}
        gone = [verb]
        for child in verb.children:
            if child == other or child.dep_ in auxiliaries or _ends_sentence(child):
                continue
            gone += [t for t in child.subtree if t not in list(other.subtree)]
        own_auxiliary = any(child.dep_ in ("aux", "auxpass") for child in other.lefts)
        if own_auxiliary or (other.tag_ in ("VBZ", "VBP") and verb.tag_ in ("VBG", "VBN")):
            gone += [child for child in verb.lefts if child.dep_ in ("aux", "auxpass")]
        self.plan.remove(gone)

    def _remove_preposition(self, preposition: Token) -> None:
        top = _whole_preposition(preposition)
        head = top.head
        if top.dep_ == "agent" or (head.lemma_ in _NEEDS_PLACE and head.pos_ in ("VERB", "AUX")):
            if not self._has_other_complement(head, top):
                if head.dep_ in _CLAUSES:
                    self._cut(list(head.subtree))
                else:
                    self.remove_predicate(head)
                return
        elif head.pos_ in ("NOUN", "PROPN") and self._is_empty_without(head, top):
            self.remove_phrase(coordination(head)[0])
            return
        elif head.pos_ == "ADJ" and head.dep_ in ("acomp", "advcl", "conj", "amod", "acl", "oprd"):
            self._remove_adjective(head)
            return
        bare = head.dep_ in _CLAUSES and head.tag_ == "VBN"
        if bare and not any(c != top and c.dep_ != "punct" for c in head.rights):
            top = head
        self._cut(list(top.subtree))

    def _remove_adjective(self, adjective: Token) -> None:
        """"ready for the next wave", "typical of cats": the adjective needs what is gone."""
        if adjective.lower_ in ("visible", "seen", "present"):
            self._cut([t for c in adjective.rights if c.dep_ == "prep" for t in c.subtree])
        elif adjective.dep_ in ("acomp", "oprd") and not self._has_other_complement(
            adjective.head, adjective
        ):
            self.remove_predicate(adjective.head)
        else:
            self._cut(list(adjective.subtree), coordinated=adjective.dep_ == "conj")

    def _has_other_complement(self, verb: Token, top: Token) -> bool:
        """Whether "is", "sits" or "is placed" says something else, too."""
        if verb.lemma_ in _POSTURE and verb.dep_ in _CLAUSES:
            return True
        if verb.lemma_ in _LOOKING:
            return False
        kinds = {"acomp", "attr", "dobj", "oprd", "prep", "agent"}
        if verb.lemma_ != "be":
            kinds |= {"advmod", "prt"}
        else:
            kinds |= {"advmod"} if any(c.lower_ == "there" for c in verb.children) else set()
        if any(child.dep_ == "expl" for child in verb.children):
            return True
        return any(
            child != top and child.dep_ in kinds and child.lower_ != "with"
            and child.i > verb.i and not self.plan.gone(child)
            for child in verb.children
        )

    def _is_empty_without(self, noun: Token, preposition: Token) -> bool:
        """"the tail of the dog", "a game with a dog": nothing is left of the noun itself."""
        if preposition.lower_ != "of":
            return False
        lemma = noun_lemma(noun)
        return lexicon.is_part(lemma) or not lexicon.is_physical(lemma)

    def _cut(self, tokens: list[Token], coordinated: bool = False) -> None:
        """Remove adjacent words with the comma (and conjunction) that tied them to the rest."""
        tokens = [token for token in tokens if not _ends_sentence(token)]
        if not tokens:
            return
        self.plan.remove(tokens)
        doc, start, end = tokens[0].doc, tokens[0].i, tokens[-1].i
        sentence = tokens[0].sent
        before = [start - 1] if start > sentence.start else []
        if coordinated:
            while before and doc[before[-1]].lower_ in ("and", "but", "or", "while", ",", ";"):
                self.plan.remove([doc[before[-1]]])
                before = [before[-1] - 1] if before[-1] > sentence.start else []
            return
        following = doc[end + 1] if end + 1 < sentence.end else None
        comma_after = following is not None and following.text == ","
        if not before:
            self.plan.remove([following] if comma_after and following is not None else [])
        elif doc[before[0]].text in (",", ";"):
            after_comma = doc[end + 2].lower_ if comma_after and end + 2 < sentence.end else ""
            self.plan.remove([doc[before[0]]])
            if comma_after and following is not None and after_comma not in ("and", "but", "or"):
                self.plan.remove([following])


def coordination(top: Token) -> list[Token]:
    """All coordinated noun phrases that a phrase belongs to, in order."""
    root = top
    while root.dep_ == "conj" and root.head.pos_ in ("NOUN", "PROPN", "NUM", "PRON"):
        root = root.head
    members = [root]
    for member in members:
        members += [c for c in member.rights if c.dep_ == "conj" and c.pos_ not in ("VERB", "AUX")]
    return sorted(members, key=lambda token: token.i)


def number_verbs(plan: Plan, verb: Token, plural: bool) -> None:
    """Let a verb, its auxiliaries and the verbs coordinated with it agree with a new subject."""
    finite = [c for c in verb.lefts if c.dep_ in ("aux", "auxpass")] or [verb]
    for token in finite[:1]:
        inflect = plural_verb if plural else singular_verb
        if token.tag_ in ("VBZ", "VBP", "VBD") and not plan.gone(token):
            plan.replaced[token.i] = inflect(token.text, token.lemma_)
    for child in verb.rights:
        if child.dep_ == "conj" and child.pos_ in ("VERB", "AUX") and not _has_subject(child):
            if child.tag_ in ("VBZ", "VBP") or any(c.dep_ == "auxpass" for c in child.lefts):
                number_verbs(plan, child, plural)


def _member_tokens(member: Token, members: list[Token]) -> list[Token]:
    """A conjunct's own words: its subtree without later conjuncts, "and" and list commas."""
    tokens = set(member.subtree)
    for other in members:
        if other != member and other in tokens:
            tokens -= set(other.subtree)
    # A phrase after the whole list stays, whichever conjunct the parser hung it on.
    starts = [other.left_edge.i for other in members if other.i > member.i]
    tokens = {t for t in tokens if not starts or t.i < min(starts)}
    tokens = {t for t in tokens if not (t.head == member and t.dep_ == "cc")}
    ordered = sorted(tokens, key=lambda token: token.i)
    while ordered and ordered[-1].dep_ == "punct":
        ordered.pop()
    while ordered and ordered[0].dep_ in ("punct", "cc"):
        ordered.pop(0)
    return ordered


def _comma_before_last(members: list[Token]) -> bool:
    doc, start = members[-1].doc, members[-1].left_edge.i
    return start > 1 and doc[start - 1].dep_ == "cc" and doc[start - 2].text == ","


def _strip_space(plan: Plan, token: Token) -> None:
    """Text that is put after a token brings its own space."""
    plan.replaced.setdefault(token.i, token.text)


def _is_own_clause(token: Token, doomed: set[int]) -> bool:
    """A coordinated clause with a subject that stays."""
    if token.dep_ not in ("conj", "ccomp", "parataxis", "advcl"):
        return False
    if token.dep_ == "ccomp" and token.i > token.head.i:
        return False
    if token.dep_ == "advcl" and not any(c.lower_ in ("while", "whereas") for c in token.lefts):
        return False
    subjects = [c for c in token.children if c.dep_ in (*_SUBJECTS, "expl")]
    objects = [c for c in token.children if c.dep_ == "attr"]
    expletive = any(c.dep_ == "expl" for c in subjects)
    checked = objects if expletive else subjects
    return bool(subjects) and not any(c.i in doomed for c in checked)


def _is_coordinate_ccomp(verb: Token) -> bool:
    """"The cup is red; the croissant is golden": a first clause parsed as a complement."""
    marked = any(child.dep_ == "mark" for child in verb.lefts)
    return verb.dep_ == "ccomp" and _has_subject(verb) and not marked and verb.i < verb.head.i


def _has_subject(verb: Token) -> bool:
    return any(child.dep_ in (*_SUBJECTS, "expl") for child in verb.children)


def _whole_preposition(preposition: Token) -> Token:
    """The outermost part of "next to", "in front of", "on the left side of"."""
    top = preposition
    while True:
        head = top.head
        others = [child for child in head.children if child.dep_ in NOMINAL and child != top]
        if top.dep_ in ("prep", "pcomp") and head.pos_ in ("ADP", "ADV", "SCONJ") and not others:
            top = head
        elif head.dep_ == "pobj" and top.lower_ in ("of", "from") and noun_lemma(head) in _SIDES:
            top = head.head
        elif head.dep_ in ("npadvmod", "advmod") and head.lower_ in ("next", "close", "adjacent"):
            top = head
        else:
            return top


def _ends_sentence(token: Token) -> bool:
    """The mark that closes the sentence stays with what is left of it."""
    return token.text in (".", "!", "?") and token.i >= token.sent.end - 2
