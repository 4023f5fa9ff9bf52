"""Category judge by rules: phrases, a noun hierarchy and product names (GranFact C.2)."""

from __future__ import annotations

from functools import lru_cache

from backends.rules.phrase import Name, Phrase, analyse, word_lists
from backends.rules.wordnet import read_table, wordnet
from schemas.judgement import CategoryAnswer, CategoryDecision, CategoryQuestion

_STRENGTH: tuple[CategoryDecision, ...] = ("cannot_refer_to", "may_refer_to", "is_a")
_EXCLUSIVE = (frozenset({"male", "female"}), frozenset({"adult", "young"}))


def judge(question: CategoryQuestion) -> CategoryAnswer:
    """Whether the predicted category names the target category."""
    return CategoryAnswer(decision=decide(question.prediction, question.target))


@lru_cache(maxsize=65_536)
def decide(prediction: str, target: str) -> CategoryDecision:
    """The judge's word for two category names: the weakest of what their parts say."""
    p, t = analyse(prediction), analyse(target)
    if p.text == t.text:
        return "is_a"
    if t.name and p.text == t.name.brand and prediction[:1].isupper():
        return "may_refer_to"
    if not p.kinds or not t.kinds:
        return _by_words(p, t)
    verdicts = [_by_name(p.name, t.name, _is_electronic(t))]
    if not (p.name and t.name and p.name.series and p.name.series == t.name.series):
        verdicts += [_by_head(p, t), _by_modifiers(p, t)]
    return min(verdicts, key=_STRENGTH.index)


def _by_words(p: Phrase, t: Phrase) -> CategoryDecision:
    """For names that the hierarchy does not know."""
    if not p.words or not t.words:
        return "cannot_refer_to"
    if p.words > t.words:
        return "is_a"
    if p.words < t.words:
        return "may_refer_to"
    # A plain noun against a name never heard of: the coarser nodes of the path will tell.
    return "may_refer_to" if p.kinds and not p.name and not t.kinds else "cannot_refer_to"


def _by_head(p: Phrase, t: Phrase) -> CategoryDecision:
    """How the head of the prediction lies to the head of the target in the hierarchy."""
    lexicon = wordnet()
    p_role, t_role = _role(p), _role(t)
    if _exclude(p_role[1], t_role[1]):
        return "cannot_refer_to"
    if lexicon.below(p.kinds, t.kinds):
        return "is_a"
    if lexicon.below(t.kinds, p.kinds):
        return "may_refer_to"
    # A role ("puppy", "tourist", "decoration") cuts across kinds: its base kind decides.
    p_base, t_base = p_role[0] or p.kinds, t_role[0] or t.kinds
    if lexicon.below(p_base, t.kinds):
        return "is_a"
    if (p_role[0] or t_role[0]) and (
        lexicon.below(p_base, t_base) or lexicon.below(t_base, p_base)
    ):
        return "may_refer_to"
    if p.head in _near().get(t.head, ()) or _may_be_landmark(p, t):
        return "may_refer_to"
    return "cannot_refer_to"


def _by_modifiers(p: Phrase, t: Phrase) -> CategoryDecision:
    """How the words that narrow the heads compare: "coffee table" and "dining table"."""
    if p.name or t.name:
        return "is_a"
    missing = any(not _covered(m, p.compound) for m in t.modifiers)
    if p.head.split()[-1] == t.head.split()[-1] and (p.modifiers or t.modifiers):
        wanted = any(not _covered(m, p.compound) for m in t.compound)
        extra = any(not _covered(m, t.compound) for m in p.compound)
        if wanted and extra and (missing or not wordnet().below(p.kinds, t.kinds)):
            return "cannot_refer_to"
    return "may_refer_to" if missing else "is_a"


def _covered(modifier: str, others: frozenset[str]) -> bool:
    return modifier in others or any(wordnet().is_a(other, modifier) for other in others)


def _by_name(p: Name | None, t: Name | None, electronic: bool) -> CategoryDecision:
    """How two product names compare; a name against none only adds or lacks detail."""
    if t is None:
        return "is_a"
    if p is None:
        return "may_refer_to"
    if (p.brand and t.brand and p.brand != t.brand) or (p.year and t.year and p.year != t.year):
        return "cannot_refer_to"
    verdict: CategoryDecision = "is_a" if p.year or not t.year else "may_refer_to"
    if p.series != t.series:
        if (p.series and t.series) or (p.marks if t.series else t.marks):
            return "cannot_refer_to"
        return verdict if p.series else "may_refer_to"
    return min(verdict, _by_marks(p.marks, t.marks, electronic), key=_STRENGTH.index)


def _by_marks(p: frozenset[str], t: frozenset[str], electronic: bool) -> CategoryDecision:
    """Trim and generation words. In electronics "15" and "15 Pro" are sibling models."""
    if p == t:
        return "is_a"
    if not (p <= t or t <= p):
        return "cannot_refer_to"
    shorter, longer = sorted((p, t), key=len)
    numbered = any(char.isdigit() for mark in shorter for char in mark)
    siblings = not (longer - shorter).isdisjoint(word_lists()["sibling_marks"])
    if electronic and numbered and siblings:
        return "cannot_refer_to"
    return "is_a" if t < p else "may_refer_to"


def _is_electronic(phrase: Phrase) -> bool:
    return wordnet().below(phrase.kinds, wordnet().synsets("electronic device"))


def _may_be_landmark(p: Phrase, t: Phrase) -> bool:
    """Names of landmarks are loose: "Tower of Buddhist Incense" is a pagoda."""
    structure = wordnet().synsets("structure")[:1]
    named = t.proper and bool(t.modifiers) and not p.proper
    return named and all(wordnet().below(x.kinds[:1], structure) for x in (p, t))


def _role(phrase: Phrase) -> tuple[tuple[int, ...], frozenset[str]]:
    """Base kind and features of a word for an age, a sex or a role; empty for other words."""
    base, features = _roles().get(phrase.head, ("", frozenset[str]()))
    told = phrase.descriptions & {"male", "female"}
    return wordnet().synsets(base)[:1] if base else (), features | told


def _exclude(first: frozenset[str], second: frozenset[str]) -> bool:
    return any(len(pair & (first | second)) == 2 and not first & second & pair
               for pair in _EXCLUSIVE)  # fmt: skip


@lru_cache(maxsize=1)
def _roles() -> dict[str, tuple[str, frozenset[str]]]:
    return {
        word: (base, frozenset(features.split()))
        for words, base, features in read_table("roles.tsv")
        for word in words.split("|")
    }


@lru_cache(maxsize=1)
def _near() -> dict[str, set[str]]:
    near: dict[str, set[str]] = {}
    for (line,) in read_table("near.tsv"):
        words = line.split("|")
        for word in words:
            near.setdefault(word, set()).update(words)
    return near
