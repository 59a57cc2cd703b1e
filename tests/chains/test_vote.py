import pytest

from chains.vote import Tally


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
    for index, vote in enumerate(votes):
        tally.add(index, None if vote == "-" else vote)
        decided.append(tally.decided)
    expected = [decided_after is not None and count >= decided_after for count in range(1, 6)]
    assert decided == expected
    assert tally.winner == winner
    assert tally.votes == (votes.count(winner) if winner else 0)


def test_votes_come_in_any_order_and_of_equals_the_lowest_index_wins() -> None:
    tally = Tally(5)
    for index, vote in [(4, "b"), (3, "c"), (1, "c"), (2, "b")]:
        tally.add(index, vote)
        assert not tally.decided
    assert (tally.ballots, tally.winner, tally.first) == (["c", "b", "c", "b"], "c", 1)
    tally.add(0, "b")
    assert tally.decided
    assert (tally.winner, tally.votes, tally.first) == ("b", 3, 0)
