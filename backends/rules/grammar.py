"""English inflection for the parser and the editor: plurals, articles, verb forms, numbers."""

from __future__ import annotations

_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet",
    "tooth": "teeth", "goose": "geese", "mouse": "mice", "ox": "oxen", "leaf": "leaves",
    "loaf": "loaves", "knife": "knives", "wife": "wives", "wolf": "wolves", "shelf": "shelves",
    "half": "halves", "scarf": "scarves", "calf": "calves", "hoof": "hooves", "thief": "thieves",
    "cactus": "cacti", "potato": "potatoes", "tomato": "tomatoes", "hero": "heroes",
    "mango": "mangoes", "elf": "elves", "life": "lives",
}  # fmt: skip
_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}
_SAME = {
    "sheep", "deer", "fish", "aircraft", "series", "species", "moose", "salmon", "bison", "swine",
    "spacecraft", "watercraft", "hovercraft", "trout", "shrimp", "squid", "luggage", "furniture",
    "pants", "jeans", "shorts", "scissors", "sunglasses", "trousers", "binoculars",
    "goggles", "headphones", "clothes", "pajamas", "tongs", "leggings",
}  # fmt: skip
_S_SINGULARS = ("ss", "us", "is")
_AN = ("hour", "honest", "heir", "honor")
_AN_SPELLED = {"x", "xbox", "mri", "suv", "lcd", "led"}
_A = (
    "uni", "one", "use", "euro", "ewe", "ukulele", "urinal", "utensil", "utility", "usb", "u-",
    "once",
)  # fmt: skip
_VERBS = {
    "are": "is", "were": "was", "have": "has", "do": "does", "'re": "'s", "are n't": "is n't",
}  # fmt: skip
_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip
_TENS = {
    "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
    "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
}  # fmt: skip


def plural(noun: str) -> str:
    """Plural of a noun phrase: its last word is inflected, the case of the word is kept."""
    head, last = _split(noun)
    lower = last.lower()
    if lower in _SAME or lower in _SINGULAR:
        return noun
    if lower in _IRREGULAR:
        return head + _cased(_IRREGULAR[lower], last)
    for ending, irregular in (("woman", "women"), ("man", "men"), ("child", "children")):
        if lower.endswith(ending) and lower != "human":
            return head + last[: -len(ending)] + irregular
    if lower.endswith(("s", "x", "z", "ch", "sh")):
        already = lower.endswith("s") and not lower.endswith(_S_SINGULARS)
        return noun if already else f"{noun}es"
    if lower.endswith("y") and lower[-2:-1] not in "aeiou" and last.islower():
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def singular(noun: str) -> str:
    """Singular of a noun phrase; unchanged if it is not a plural."""
    head, last = _split(noun)
    lower = last.lower()
    if lower in _SINGULAR:
        return head + _cased(_SINGULAR[lower], last)
    if lower in _SAME or (len(lower) < 4 and lower != "men"):
        return noun
    for ending, regular in (("women", "woman"), ("men", "man"), ("children", "child")):
        if lower.endswith(ending):
            return head + last[: -len(ending)] + regular
    if lower.endswith("ies") and len(lower) > 4 and lower not in ("movies", "cookies", "brownies"):
        return f"{noun[:-3]}y"
    if lower.endswith(("sses", "xes", "ches", "shes", "zes")) and lower != "axes":
        return noun[:-2]
    if lower.endswith("s") and not lower.endswith(_S_SINGULARS):
        return noun[:-1]
    return noun


def is_invariant(noun: str) -> bool:
    """Whether a noun has one form for one and for many ("aircraft", "sheep")."""
    return noun.lower() in _SAME and not noun.lower().endswith("s")


def article(word: str) -> str:
    """The indefinite article before `word`."""
    lower = word.lower()
    first = lower.split()[0].split("-")[0] if lower.strip() else ""
    if lower.startswith(_AN) or first in _AN_SPELLED:
        return "an"
    if lower.startswith(_A) and not lower.startswith(("unin", "unid", "unim")):
        return "a"
    if lower[:2] in ("11", "18") or lower[:1] == "8":
        return "an"
    return "an" if lower[:1] in "aeiou" and lower else "a"


def singular_verb(verb: str, lemma: str) -> str:
    """Third person singular of a plural present form ("are" to "is", "rest" to "rests")."""
    lower = verb.lower()
    if lower in _VERBS:
        return _cased(_VERBS[lower], verb)
    if lower != lemma.lower():
        return verb
    return third_person(verb)


def third_person(verb: str) -> str:
    """Third person singular of a regular base form."""
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def plural_verb(verb: str, lemma: str) -> str:
    """Plural of a third person singular form ("is" to "are", "rests" to "rest")."""
    lower = verb.lower()
    for many, one in _VERBS.items():
        if lower == one and (one != "'s" or lemma == "be"):
            return _cased(many, verb)
    return lemma if lower == third_person(lemma) else verb


def gerund(lemma: str) -> str:
    """The -ing form ("lie" to "lying", "sit" to "sitting")."""
    if lemma.endswith("ie"):
        return f"{lemma[:-2]}ying"
    if lemma.endswith("e") and not lemma.endswith(("ee", "oe", "ye")) and lemma != "be":
        return f"{lemma[:-1]}ing"
    double = len(lemma) <= 4 and lemma[-1] not in "wxy" and lemma[-2:-1] in "aeiou"
    short = double and lemma[-1] not in "aeiou" and lemma[-3:-2] not in "aeiou"
    return f"{lemma}{lemma[-1]}ing" if short else f"{lemma}ing"


def number_word(number: int) -> str:
    """A count as a caption writes it: words up to twelve, then digits."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def parse_number(word: str) -> int | None:
    """The count a single word or digit string states; None if it states none."""
    lower = word.lower().replace(",", "")
    if lower.isascii() and lower.isdigit():
        return int(lower)
    if lower in _NUMBERS:
        return _NUMBERS.index(lower)
    tens, _, unit = lower.partition("-")
    if tens not in _TENS:
        return None
    return _TENS[tens] + (_NUMBERS.index(unit) if unit in _NUMBERS[1:10] else 0)


def capitalized(text: str) -> str:
    """`text` with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _split(noun: str) -> tuple[str, str]:
    """The words before the last one (with the space), and the last word."""
    head, space, last = noun.rpartition(" ")
    return head + space, last


def _cased(word: str, model: str) -> str:
    """`word` with a capital first letter if `model` has one."""
    return capitalized(word) if model[:1].isupper() else word
