"""A mistyped word is read as the examples' word that is one letter away, and nothing else is."""

from __future__ import annotations

import json

import pytest

from router.encoding.embedding import whole_words
from router.text.spelling import Corrector

EXAMPLES = (
    "Where is my parcel?",
    "where did the parcel go",
    "track the parcels of my order",
    "I want to change the address",
    "cancel the order at the steakhouse",
    "what is the weight of a barrel",
)
KNOWN = (
    "where parcel parcels track order want change address cancel the what weight barrel house there come can"
)
VOCABULARY = frozenset(f"{KNOWN} with from please".split())


@pytest.fixture(scope="module")
def corrector() -> Corrector:
    return Corrector(EXAMPLES, VOCABULARY)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("where is my parcle", "where is my parcel"),  # swapped
        ("where is my parcell", "where is my parcel"),  # one more
        ("where is my pacel", "where is my parcel"),  # one less
        ("where is my parxel", "where is my parcel"),  # another
        ("Whree is my parcel? Cahnge the order", "Where is my parcel? Change the order"),  # sentences begin
        ("wher is parcl-42 of my odrer?", "where is parcel-42 of my order?"),
    ],
)
def test_one_edit_is_undone(corrector: Corrector, written: str, read: str) -> None:
    assert corrector.correct(written)[0] == read


def test_what_was_read_as_what_is_told(corrector: Corrector) -> None:
    assert corrector.correct("the odrer, the odrer from Ordre")[1] == {"odrer": "order"}


@pytest.mark.parametrize(
    "text",
    [
        "come there with it please",  # the encoder's own words, though "there" is near "where"
        "the wya of my prcl",  # three letters, and two edits
        "my friend Parcle and PARCLE and parCle",  # names and abbreviations
        "parcle1 2parcle parcle_x par9le #parxel7",  # ids
        "it cant come to two steakhouses",  # endings
        "pärcel",  # other letters than a to z
        "parcél",
        "x" * 40 + "parcle",
        "",
    ],
)
def test_other_words_are_left(corrector: Corrector, text: str) -> None:
    assert corrector.correct(text) == (text, {})


def test_the_most_frequent_of_several_is_meant() -> None:
    corrector = Corrector(["a cart", "the card", "my card", "one cast"], frozenset({"card", "cart", "cast"}))
    assert corrector.correct("the carx")[1] == {"carx": "card"}
    assert Corrector(["a cart", "the card"], frozenset({"card", "cart"})).correct("carx")[0] == "card"


def test_a_text_of_another_language_is_left(corrector: Corrector) -> None:
    text = "parcle adress kostet change"
    assert corrector.correct(text) == (text, {})
    assert corrector.correct(f"what is the {text} of it")[1] == {"parcle": "parcel", "adress": "address"}


def test_nothing_is_done_for_examples_that_the_encoder_does_not_know() -> None:
    german = ["wo ist meine karte", "meine zahlung wurde abgelehnt", "ich habe kein geld", "sperren bitte"]
    assert Corrector(german, VOCABULARY).correct("eine kahrte")[1] == {}
    assert Corrector(EXAMPLES, frozenset()).correct("parcle")[1] == {}
    assert Corrector(german, frozenset(" ".join(german).split())).correct("kahrte")[0] == "karte"


def test_whole_words_are_told_by_a_tokenizer_of_wordpiece_alone() -> None:
    vocabulary = {"[UNK]": 0, "Parcel": 1, "par": 2, "##cel": 3}
    pieces = {"type": "WordPiece", "continuing_subword_prefix": "##", "vocab": vocabulary}
    assert whole_words(json.dumps({"model": pieces})) == {"[unk]", "parcel", "par"}
    for kind in ("BPE", "Unigram", "WordLevel"):
        assert whole_words(json.dumps({"model": pieces | {"type": kind}})) == frozenset()
