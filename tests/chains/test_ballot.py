"""Which answers are one in a vote, and which are not."""

from itertools import combinations

import pytest

from chains.ballot import VoteOn, ballot


@pytest.mark.parametrize(
    ("on", "answers", "vote"),
    [
        ("number", ["It is 42.", "42", "= 4２", "6 × 7 = 42.00", "一共42个", "1. **42**"], "42"),
        ("number", ["1,234.50 km", "1234.5"], "1234.5"),
        ("number", ["−3", "The result is -3!", "-3.0"], "-3"),
        ("number", ["-$5", "$-5.00", "-5"], "-5"),
        ("number", ["0", "0.00", "-0"], "0"),
        ("number", ["one hundred: 100", "100", "100%", "x² = 100 m²", "5e1 + 50 = 1e2"], "100"),
        ("number", ["1/2", "0.5", ".5", "2 / 4", "½", "\\frac{1}{2}"], "0.5"),
        ("number", ["1 1/2", "1½", "It is 1.5."], "1.5"),
        ("number", ["-1/3", "−2/6"], "-1/3"),
        ("number", ["10-20", "10–20 apples", "10 - 20"], "10-20"),
        ("number", ["5 - 3 = 2", "(5)-2", "2"], "2"),
        ("number", ["CO2", "co2."], "co2"),
        ("number", ["v1.2", "V1.2"], "v1.2"),
        ("number", ["x^-2", "X⁻²"], "x^-2"),
        ("number", ["None.", " none"], "none"),
        ("number", ["9" * 5_000], "9" * 5_000),
        ("text", ["Yes, sure.", "yes  sure", "ＹＥＳ sure!", "**Yes**, sure", "“Yes, sure.”"], "yes sure"),
        ("text", ["-5 °C", "-5°c"], "-5°c"),
        ("text", ["x > y", "x>y", "`X > Y`."], "x>y"),
        ("text", ["", " ?! "], None),
        ("number", ["..."], None),
    ],
)
def test_answers_that_say_the_same_are_one_ballot(on: VoteOn, answers: list[str], vote: str | None) -> None:
    assert [ballot(answer, on) for answer in answers] == [vote] * len(answers)


@pytest.mark.parametrize(
    ("on", "answers"),
    [
        ("text", ["C++", "C#", "C", "Java"]),
        ("text", ["x > y", "x < y", "x = y", "x y"]),
        ("text", ["¬p", "p", "!p"]),
        ("text", ["50%", "50", "-50", "1/50"]),
        ("text", ["x²", "x2", "x/2", "2**x**2"]),
        ("text", ["it's", "its", "f'(x)", "f(x)"]),
        ("number", ["1/2", "2", "1", "12"]),
        ("number", ["10-20", "20", "-20", "10"]),
        ("number", ["12:30", "1:30", "30"]),
        ("number", ["10^3", "10^4", "2 × 10^3", "3"]),
        ("number", ["3,5", "4,5", "5"]),
        ("number", ["1/0", "0", "1"]),
    ],
)
def test_answers_that_differ_stay_apart(on: VoteOn, answers: list[str]) -> None:
    pairs = combinations(answers, 2)
    assert [pair for pair in pairs if ballot(pair[0], on) == ballot(pair[1], on)] == []
