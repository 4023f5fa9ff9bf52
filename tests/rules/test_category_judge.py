"""The category rules: the specification's examples, forty own cases and laws that always hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.rules.category_judge import decide, judge
from schemas.judgement import CategoryQuestion

CASES = [
    tuple(json.loads(line).values())
    for line in (Path(__file__).parent / "category_cases.jsonl").read_text().splitlines()
]

# "prediction > target", by the word that is expected.
EXAMPLES = {
    "is_a": """
        scale model of the Saturn V rocket > scale model, pickup > truck, firetruck > fire
        truck, Ferrari 488 > Ferrari, Volkswagen Golf > hatchback, VW Golf > Volkswagen Golf,
        Mercedes-Benz C-Class > Mercedes, Honda Civic Type R > Honda Civic, iPad Pro > iPad,
        iPad > tablet, Sony TV > television, gaming laptop > laptop, wireless mouse > mouse,
        mechanical keyboard > keyboard, Xbox controller > game controller, Nintendo Switch >
        game console, beagle > dog, sparrow > bird, monarch butterfly > butterfly, salmon >
        fish, cow > cattle, Holstein cow > cow, lamb > sheep, stallion > horse, red rose > rose,
        maple leaf > leaf, cherry blossom tree > tree, palm tree > tree, bonsai tree > tree,
        fern > plant, cathedral > church, Notre-Dame > cathedral, Golden Gate Bridge >
        suspension bridge, Great Wall > Great Wall of China, Colosseum > amphitheatre, Pokemon
        Scarlet > Pokemon, Mario Kart 8 > racing game, Call of Duty > first-person shooter,
        dining chair > chair, throw pillow > pillow, kitchen knife > knife, paper cup > cup,
        wine glass > glass, water bottle > bottle, tennis racket > racket, baseball bat > bat,
        soccer ball > ball, firefighter > person, crowd > people, old man > man, bride > woman,
        bathroom sink > sink, french fries > food, banana > fruit, orange juice > juice, green
        apple > apple, cheeseburger > hamburger, school bus > bus, motor scooter > motorcycle,
        sailboat > boat, cruise ship > ship, fighter jet > airplane, street sign > sign, stop
        sign > street sign, traffic cone > cone, sunglasses > glasses, leather jacket > jacket,
        running shoes > shoe, jeans > pants, iPhone > iPhone, iPhone > smartphone, iPhone 15 Pro
        > iPhone, iPhone 17 > iPhone, iPhone 17 > smartphone, smartphone > smartphone, Samsung
        Galaxy > smartphone, golden retriever > dog, golden retriever > retriever, Golden
        Retrievers > golden retriever, puppy > dog, couch > sofa, sofa > couch, a couch > sofas,
        2019 Toyota Camry > Toyota Camry, Toyota Camry SE > Toyota Camry, Camry > Toyota Camry,
        Toyota Camry > sedan, BMW X5 > car, BMW X5 > BMW, red Toyota Camry > Toyota Camry, 2019
        Toyota Camry SE > 2019 Toyota Camry, apple > fruit, mustang > horse, Mustang > Ford
        Mustang, PS5 > PlayStation 5, PlayStation 5 > game console, Saturn V > rocket, Saturn V
        rocket > vehicle, Nikon D850 > camera, space helmet > helmet, astronaut > person,
        airplane > aircraft, individual > person, people > person, bicycle > bike, bike >
        bicycle, grassy field > field, grass field > field, countertop > counter, lake > body of
        water, pond > lake, toy car > toy, teddy bear > toy, stone lion > statue, hot dog >
        food, wooden chair > metal chair, car > red car, red car > car, sports car > car, coffee
        table > table, office chair > chair, slice of pizza > pizza, cup of coffee > cup, man in
        a suit > man, group of people > person, pair of shoes > shoe, Eiffel Tower > structure,
        Kunming Lake > lake, espresso > coffee, espresso cup > coffee cup, teaspoon > spoon,
        wooden table > furniture, table > wooden table, Persian cat > domestic cat, Maine Coon >
        cat, tabby cat > domestic cat, eyes > body part, Grand Theft Auto V > Grand Theft Auto,
        Grand Theft Auto > video game, GTA V > Grand Theft Auto V, chess > board game, oak >
        tree, oak tree > tree, dahlia > flower, rose > plant, boy > child, child > person,
        police officer > person, skier > person, baseball player > player, batter > baseball
        player, baby elephant > elephant, elephant > baby elephant, TV > television, flat-screen
        TV > television, t-shirt > shirt, T-shirt > clothing, zorblax 3000 > zorblax, American
        flag > flag, American flag > national flag, photo > photograph, laptop > computer, mouse
        > computer mouse, computer mouse > mouse, plane > airplane, jet > airplane, pickup truck
        > truck, SUV > car, Land Rover > SUV, Jeep Wrangler > Jeep, Jeep > SUV
    """,
    "may_refer_to": """
        suit > spacesuit, Ferrari > sports car, Apple laptop > MacBook Pro, dog > beagle, big
        cat > tiger, butterfly > monarch butterfly, insect > bee, calf > cow, flower > tulip,
        church > cathedral, skyscraper > Burj Khalifa, castle > Neuschwanstein Castle, museum >
        Louvre, Statue of Liberty > monument, board game > Monopoly, bar stool > chair, bottle >
        wine bottle, woman > doctor, waitress > woman, teenager > boy, umbrella > beach
        umbrella, hat > baseball cap, iPhone > iPhone 15 Pro Max, smartphone > iPhone,
        smartphone > iPhone 15 Pro Max, phone > smartphone, dog > golden retriever, retriever >
        golden retriever, puppy > golden retriever, Toyota Camry > 2019 Toyota Camry, Toyota >
        Toyota Camry, sedan > Toyota Camry, car > Toyota Camry, BMW > BMW X5, 2019 Toyota Camry
        > 2019 Toyota Camry SE, MacBook > MacBook Pro, Apple > iPhone, rocket > Falcon 9, camera
        > camcorder, electronic device > camcorder, helmet > space helmet, woman > astronaut,
        man > astronaut, aircraft > airplane, person > man, man > photographer, vehicle > car,
        field > grass field, cell phone > smartphone, body of water > lake, body of water >
        pond, toy > toy car, car > sports car, table > coffee table, table > dining table, chair
        > office chair, tower > Eiffel Tower, pagoda > Tower of Buddhist Incense, temple > Tower
        of Buddhist Incense, lake > Kunming Lake, coffee > espresso, cup > espresso cup, spoon >
        teaspoon, cat > tabby cat, nose > cat nose, eye > cat eye, object > iPhone 15 Pro Max,
        animal > tabby cat, game > chess, tree > oak, succulent > cactus, player > baseball
        player, table > zorblax, zorblax > zorblax 3000, flag > American flag, computer >
        laptop, car > SUV, electric car > Tesla Model 3, convertible > sports car
    """,
    "cannot_refer_to": """
        scale model of the Saturn V rocket > rocket, scale model of the Saturn V rocket > space
        shuttle model, Lamborghini > Ferrari, 2020 Honda Civic > Honda Accord, iPad mini > iPad
        Air, Samsung Galaxy S24 > Samsung Galaxy S23, Samsung phone > iPhone, tiger > lion,
        parrot > sparrow, zebra > horse, mushroom > plant, bed frame > bed, lampshade > lamp,
        beer bottle > wine bottle, basketball > soccer ball, nurse > doctor, sink > toilet,
        apple pie > apple, train > bus, helicopter > airplane, denim jacket > jeans, iPhone 15
        Pro > iPhone 15 Pro Max, iPhone 15 > iPhone 15 Pro, iPhone 17 > iPhone 17 Pro, Samsung
        Galaxy > iPhone, Labrador > golden retriever, cat > golden retriever, poodle >
        retriever, 2018 Toyota Camry > 2019 Toyota Camry, Honda Civic > Toyota Camry, Toyota
        Camry SE > Toyota Camry LE, Toyota Camry > SUV, BMW X5 > BMW X3, pickup truck > Toyota
        Camry, iPhone case > iPhone, iPhone 15 Pro Max > iPhone 15 Pro, iPhone > iPad, MacBook
        Pro > MacBook Air, apple > iPhone, Ford Mustang > horse, Saturn V > Falcon 9, Saturn V
        rocket > SpaceX rocket, Nikon D850 > Canon EOS R5, DSLR camera > camcorder, female
        astronaut > man, wheel > bicycle, person > dog, car > toy car, stuffed bear > bear,
        stone lion > lion, lion > stone lion, guinea pig > pig, sea lion > lion, end table >
        coffee table, coffee table > end table, man in a suit > suit, Temple of Heaven > Tower
        of Buddhist Incense, West Lake > Kunming Lake, tree > lake, cappuccino > espresso, cup >
        saucer, croissant > saucer, Persian cat > tabby cat, Maine Coon > tabby cat, cat eye >
        nose, poker > board game, dahlia > dandelion, girl > boy, boy > man, skier >
        skateboarder, zorblax > table, French flag > American flag, laptop > tablet, truck > car
    """,
}
PAIRS = [
    (*(name.strip() for name in " ".join(pair.split()).split(" > ")), expected)
    for expected, text in EXAMPLES.items()
    for pair in text.split(",")
]

NAMES = st.sampled_from(sorted({name for pair in PAIRS for name in pair[:2]}))


@pytest.mark.parametrize(("prediction", "target", "expected"), CASES)
def test_own_cases(prediction: str, target: str, expected: str) -> None:
    question = CategoryQuestion(prediction=prediction, target=target)
    assert judge(question).decision == expected


@pytest.mark.parametrize(("prediction", "target", "expected"), PAIRS)
def test_examples(prediction: str, target: str, expected: str) -> None:
    assert decide(prediction, target) == expected


def test_forty_cases_use_all_three_words() -> None:
    assert len(CASES) == len(set(CASES)) == 40
    assert {expected for _, _, expected in CASES} == set(EXAMPLES)


@given(NAMES)
def test_a_name_is_itself(name: str) -> None:
    assert decide(name, name) == "is_a"
    assert decide(f"the {name.upper()}", name) == "is_a"


@given(NAMES, NAMES)
def test_a_kind_and_its_instance_are_never_strangers(first: str, second: str) -> None:
    """Where one name is a kind of the other, the other may at least refer to it."""
    if decide(first, second) == "is_a":
        assert decide(second, first) != "cannot_refer_to"


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_any_text_gets_an_answer(first: str, second: str) -> None:
    assert decide(first, second) in EXAMPLES


@pytest.mark.parametrize("symbol", ["-", "*", "  .  "])
def test_a_symbol_names_nothing(symbol: str) -> None:
    assert decide("table", symbol) == decide(symbol, "table") == "cannot_refer_to"
