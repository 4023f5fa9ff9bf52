"""Negatives of relations: what the same two things could do instead, in the same form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.rules.grammar import gerund, third_person
from backends.rules.negatives_relations import Parsed, parse_relation
from backends.rules.negatives_words import belongs, is_plural, shuffled, table

_GERUNDS = {"iron": "ironing"}


def relation_choices(text: str, subject: str, target: str, seed: Sequence[object]) -> Iterator[str]:
    """Phrases of the rules that fit, the most special rule first; most of them exclude `text`."""
    parsed = parse_relation(text)
    many = is_plural(subject)
    for rule in table("relations")["rules"]:
        if _fits(rule, parsed, subject, target):
            for entry in shuffled(rule["negatives"], seed):
                said = _phrased(entry, parsed, many)
                yield re.sub(r"\bits\b", "their", said) if many else said


def _fits(rule: Mapping[str, Any], parsed: Parsed, subject: str, target: str) -> bool:
    """A rule without a verb fits a bare preposition or a verb of mere place."""
    verbs = rule.get("verb")
    if verbs and parsed.group not in verbs and parsed.verb not in verbs:
        return False
    if "prep" in rule:
        if (parsed.place or "none") not in rule["prep"]:
            return False
        if not verbs and parsed.group not in ("", "static", "posture"):
            return False
    return (not rule.get("subject") or belongs(subject, rule["subject"])) and (
        not rule.get("object") or belongs(target, rule["object"])
    )


def _phrased(entry: str, parsed: Parsed, many: bool) -> str:
    """An entry of the table in the form of the positive: "+drop" is "is dropping" or "drops"."""
    entry = entry.replace("{prep}", parsed.rest)
    verb, _, rest = entry.removeprefix("+").partition(" ")
    acted = entry.startswith("+")
    if parsed.form == "finite":
        inflected = verb if many else third_person(verb)
        return f"{inflected} {rest}".rstrip() if acted else f"{'are' if many else 'is'} {entry}"
    said = f"{_GERUNDS.get(verb) or gerund(verb)} {rest}".rstrip() if acted else entry
    return said if parsed.form == "bare" else f"{parsed.form} {said}"
