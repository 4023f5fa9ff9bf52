"""Deleting a claim: the smallest grammatical piece that holds it goes (GranFact appendix D.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.clauses import (
    SUBJECTS,
    comma_before_last,
    coordination,
    ends_sentence,
    has_subject,
    is_coordinate_ccomp,
    is_own_clause,
    member_tokens,
    number_verbs,
    whole_preposition,
)
from backends.rules.mention import Mention, noun_lemma
from backends.rules.rewrite import Plan

if TYPE_CHECKING:
    from spacy.tokens import Token

_CLAUSES = {"relcl", "acl", "advcl"}
_NEEDS_PLACE = {
    "be", "rest", "lean", "hang", "perch", "place", "position", "situate", "locate", "set",
    "mount", "attach", "cover", "fill", "surround", "adorn", "decorate", "dot", "lie", "suspend",
    "flank", "accompany", "top", "equip", "park", "display", "arrange", "tuck", "nestle", "house",
    "sit", "serve", "dress", "line", "frame", "connect", "fix", "hold", "consist", "belong",
    "look", "gaze", "peer", "stare", "present",
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
        """ "its tail" goes with its owner; "the dog's bowl" becomes "the bowl"."""
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
        spans = {member.i: member_tokens(member, members) for member in members}
        oxford = len(members) > 2 and comma_before_last(members)
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
            after = doc[last + 1 : last + 2]
            described += [token for token in after if token.lower_ == "with"]
            self.plan.remove([token for tail in described for token in tail.subtree])
        for position, member in enumerate(left[:-1]):
            final = position == len(left) - 2
            comma = "," if len(left) > 2 and (not final or oxford) else ""
            end = max(token.i for token in spans[member.i])
            self.plan.after[end] = f"{comma} {word} " if final else f"{comma} "
        if len(left) == 1:
            self._agree(members[0], left[0])

    def _agree(self, root: Token, left: Token) -> None:
        """Only one subject is left of several: its verb follows its number."""
        verb = root.head
        existential = any(child.dep_ == "expl" for child in verb.children)
        if root.dep_ in SUBJECTS or (existential and root.dep_ in ("attr", "nsubj")):
            number_verbs(self.plan, verb, plural=left.tag_ in ("NNS", "NNPS"))

    def remove_phrase(self, top: Token) -> None:
        """Remove a whole noun phrase with the construction that needs it."""
        dep, head = top.dep_, top.head
        if dep in SUBJECTS or dep == "csubj":
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
        others = [child for child in verb.children if is_own_clause(child, self._doomed)]
        if verb.dep_ in ("ROOT", "conj", "ccomp", "parataxis", "advcl") and others:
            kept = {token.i for other in others for token in other.subtree}
            rest = [t for t in verb.subtree if t.i not in kept and not ends_sentence(t)]
            self._cut(rest, coordinated=verb.dep_ == "conj")
        elif verb.dep_ == "ROOT":
            self.plan.remove_sentence(verb.sent)
        elif verb.dep_ in _CLAUSES:
            self._cut(list(verb.subtree))
        elif verb.dep_ in ("conj", "parataxis") or is_coordinate_ccomp(verb):
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
        shared = [c for c in shared if not any(g.dep_ in SUBJECTS for g in c.lefts)]
        if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX") and not has_subject(verb):
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
        """ "wears a hat and holds a cup": the second verb takes the place of the first."""
        auxiliaries = {"aux", "auxpass", *SUBJECTS, "expl", "mark"}
        gone = [verb]
        for child in verb.children:
            if child == other or child.dep_ in auxiliaries or ends_sentence(child):
                continue
            gone += [t for t in child.subtree if t not in list(other.subtree)]
        own_auxiliary = any(child.dep_ in ("aux", "auxpass") for child in other.lefts)
        if own_auxiliary or (other.tag_ in ("VBZ", "VBP") and verb.tag_ in ("VBG", "VBN")):
            gone += [child for child in verb.lefts if child.dep_ in ("aux", "auxpass")]
        self.plan.remove(gone)

    def _remove_preposition(self, preposition: Token) -> None:
        top = whole_preposition(preposition)
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
        """ "ready for the next wave", "typical of cats": the adjective needs what is gone."""
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
            child != top
            and child.dep_ in kinds
            and child.lower_ != "with"
            and child.i > verb.i
            and not self.plan.gone(child)
            for child in verb.children
        )

    def _is_empty_without(self, noun: Token, preposition: Token) -> bool:
        """ "the tail of the dog", "a game with a dog": nothing is left of the noun itself."""
        if preposition.lower_ != "of":
            return False
        lemma = noun_lemma(noun)
        return lexicon.is_part(lemma) or not lexicon.is_physical(lemma)

    def _cut(self, tokens: list[Token], coordinated: bool = False) -> None:
        """Remove adjacent words with the comma (and conjunction) that tied them to the rest."""
        tokens = [token for token in tokens if not ends_sentence(token)]
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
