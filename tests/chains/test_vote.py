import pytest

from chains.vote import Tally, VoteOn, ballot


@pytest.mark.parametrize(
    ("on", "answers", "vote"),
    [
        ("number", ["It is 42.", "42", "= 4２", "6 × 7 = 42.00", "一共42个"], "42"),
        ("number", ["1,234.50 km", "1234.5"], "1234.5"),
        ("number", ["−3", "The result is -3!", "-3.0"], "-3"),
        ("number", ["0", "0.00"], "0"),
        ("number", ["one hundred: 100", "100"], "100"),
        ("number", ["None.", " none"], "none"),
        ("text", ["Yes, sure.", "yes  sure", "ＹＥＳ sure!"], "yes sure"),
        ("text", ["-5 °C", "-5°c"], "-5 c"),
        ("text", ["", " ?! "], None),
        ("number", ["..."], None),
    ],
)
def test_answers_that_say_the_same_are_one_ballot(on: VoteOn, answers: list[str], vote: str | None) -> None:
    assert [ballot(answer, on) for answer in answers] == [vote] * len(answers)


@pytest.mark.parametrize(
    ("votes", "decided_after", "winner"),
    [
        ("aaabc", 3, "a"),  # two are out, three are needed
        ("abaca", 5, "a"),  # after four b and c could still draw level
        ("abbab", 5, "b"),
        ("abcde", None, "a"),  # of equals the first
        ("a-a-a", 4, "a"),  # who abstains helps nobody
        ("-----", None, None),
    ],
)
def test_a_vote_is_decided_when_nobody_can_draw_level(
    votes: str, decided_after: int | None, winner: str | None
) -> None:
    tally = Tally(len(votes))
    decided = []
    for vote in votes:
        tally.add(None if vote == "-" else vote)
        decided.append(tally.decided)
    expected = [decided_after is not None and count >= decided_after for count in range(1, 6)]
    assert decided == expected
    assert tally.winner == winner
    assert tally.votes == (votes.count(winner) if winner else 0)
