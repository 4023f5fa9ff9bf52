"""Number and article of a noun phrase: "a puppy", "an hourglass", "grass", "dogs", "the sky"."""

from __future__ import annotations

import re
from functools import lru_cache

from backends.rules import lexicon
from backends.rules.grammar import article, singular

_CACHED = 16_384

_MASS = frozenset(
    "algae artwork ash asparagus asphalt bamboo barbecue bedding beef brickwork broccoli broth "
    "butter cabling candy carpeting cash celery cereal chalk champagne charcoal chocolate cider "
    "cloth concrete confetti corn cotton crockery debris denim dirt dough driftwood dust espresso "
    "fabric fencing firewood flooring flour foam fog footwear frosting fur garbage gear glassware "
    "glitter gold gravel gravy greenery ground hair hay honey icing ink ivy jam ketchup laundry "
    "lava leather lemonade lettering lighting limestone linen litter livestock lumber machinery "
    "mail makeup mayonnaise merchandise metal metalwork mist money moss mud mulch mustard oatmeal "
    "oil paint pavement plaster plastic plumage plywood popcorn pork poultry produce rain rainwater "
    "rubber rubbish rubble salt satin scaffolding scenery seafood seaweed shade shampoo siding "
    "silk silverware sleet slush smoke soda soil spaghetti spinach steam stonework straw stuff "
    "sugar sunlight sushi syrup tape tarmac text thatch timber tinsel toast tofu toothpaste "
    "traffic trash turf underbrush undergrowth underwear upholstery velvet vinegar waste wheat "
    "whiskey wildlife wood woodwork wool yarn".split()
)
_UNIQUE = frozenset("sky sun moon ground horizon sea ocean floor earth countryside shore".split())
_UNIQUE_HEADS = frozenset({"sky", "horizon", "ocean", "ground"})
_ORDER = frozenset(
    "first second third fourth last upper lower middle left right topmost main only same other "
    "rightmost leftmost front rear".split()
)
_NOT_HIGHEST = frozenset(
    "forest guest chest nest vest test rest west harvest crest quest honest modest priest pest "
    "midwest request contest conquest interest everest best".split()
)
_SINGULAR_S = frozenset(
    "lens gas canvas atlas christmas bus glass tennis news chess molasses bias pancreas mattress "
    "compass cypress iris series species hummus citrus".split()
)
_PLURAL = frozenset(
    "antennae bacteria bikinis cacti cattle dice emus fungi kiwis menus police skis taxis "
    "zucchinis".split()
)
_LANDMARKS = frozenset("tower bridge hall museum cathedral river ocean sea palace wall".split())
_INNER = re.compile(r" (?:of|with|in|on|for|from|at|to|by|made|wearing|holding) ")
_LEADING = re.compile(r"^(?:an?|the) (?=\S)", re.IGNORECASE)
_COUNTED = re.compile(
    r"^(?:\d+|two|three|four|five|six|seven|eight|nine|ten|several|many|some|few|both|various|"
    r"multiple|numerous|his|her|its|their|another|each|every|no) ", re.IGNORECASE
)  # fmt: skip


@lru_cache(_CACHED)
def bare(name: str) -> str:
    """A name on one line, without an article that it came with and without a final stop."""
    return _LEADING.sub("", " ".join(name.split()).rstrip(".!?;, ")) or name.strip()


@lru_cache(_CACHED)
def head(name: str) -> str:
    """Lower-case head noun: "statue" of "statue of a laughing Buddha"."""
    return _INNER.split(f"{bare(name)} ", maxsplit=1)[0].split()[-1].lower()


@lru_cache(_CACHED)
def is_plural(name: str) -> bool:
    """Whether a verb after the name takes its plural: "dogs", "people", "sunglasses"."""
    noun = head(name)
    if noun in _PLURAL or lexicon.listed("plurale_tantum", noun):
        return True
    return noun not in _SINGULAR_S and singular(noun) != noun


@lru_cache(_CACHED)
def is_proper(name: str) -> bool:
    """A name of its own, such as "Big Ben"; not "TV", "Boeing 747" or "American flag"."""
    words = bare(name).split()
    if not all(word.istitle() and word.isalpha() for word in words) or head(name) in _LANDMARKS:
        return False
    *modifiers, last = bare(name).lower().split()
    if not modifiers:
        return not lexicon.is_known(last)
    return not lexicon.is_compound(" ".join(modifiers), last)


@lru_cache(_CACHED)
def indefinite(name: str) -> str:
    """A name with its indefinite article, where it takes one: "a puppy", "grass", "the sky"."""
    text, noun = bare(name), head(name)
    first, *rest = text.split()
    if _is_unique(text, noun, first.lower() if rest else ""):
        return f"the {text}"
    if _COUNTED.match(text) or is_plural(name) or is_proper(name):
        return text
    if noun in _MASS or lexicon.listed("mass", noun) or noun.endswith(("ware", "wear")):
        return text
    return f"{article(text)} {text}"


@lru_cache(_CACHED)
def definite(name: str) -> str:
    """A name with "the", where it is not a name of its own: "the puppy", "Big Ben"."""
    text = bare(name)
    return text if is_proper(name) else f"the {text}"


def _is_unique(text: str, noun: str, first: str) -> bool:
    """Whether there is one such thing: the sky, the night sky, the second dahlia."""
    if text.lower() in _UNIQUE or (noun in _UNIQUE_HEADS and text.endswith(noun)):
        return True
    if first in _ORDER or (first.endswith("est") and first not in _NOT_HIGHEST):
        return not is_plural(text) or first.endswith("est")
    return text.istitle() and " " in text and noun in _LANDMARKS
