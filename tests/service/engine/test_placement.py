"""Properties of where requests and adapters go, and what they add up to in a simulation."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from service.engine.placement import (
    ADAPTER_HEADROOM,
    HEADROOM,
    SLOW_START,
    Beginning,
    Load,
    Shares,
    choose,
    copies,
    homes,
    order,
)

NAMES = [f"http://engine-{index}:8000" for index in range(8)]
servers = st.sets(st.sampled_from(NAMES), min_size=1)
loads = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(Load, calls=st.integers(0, 200), age=st.floats(0, 100)),
    min_size=1,
)


@given(st.text(), servers)
def test_a_server_that_goes_moves_only_its_own_keys(key: str, known: set[str]) -> None:
    before = order(key, known)
    for gone in known:
        assert order(key, known - {gone}) == [server for server in before if server != gone]


@given(st.builds(Beginning, template=st.text(), conversation=st.text()), loads, st.floats(0, 1))
def test_somebody_always_takes_it_and_nobody_is_over_his_bound(
    begins: Beginning, known: dict[str, Load], share: float
) -> None:
    taken = choose(begins, known, share)
    total, shares = 1 + sum(one.calls for one in known.values()), sum(one.share for one in known.values())
    if len(known) > 1:
        assert known[taken].calls < HEADROOM * total * known[taken].share / shares + 1


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 8))
def test_who_is_asked_more_lives_on_no_fewer_servers(one: float, more: float, count: int) -> None:
    low, high = sorted((copies(one, count), copies(max(one, more), count)))
    assert 1 <= low <= copies(max(one, more), count) == high <= count
    few, many = (homes([("support", share)], NAMES[:count])[0] for share in (one, max(one, more)))
    assert many[: len(few)] == few == order("support", NAMES[:count])[: len(few)]


def test_a_cold_adapter_lives_on_one_server_and_the_only_one_on_all() -> None:
    assert [copies(share, 4) for share in (0.0, 0.1, 0.25, 0.5, 1.0)] == [1, 1, 2, 3, 4]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(2, 8))
def test_no_server_has_more_adapters_than_its_requests_allow(asked: list[int], count: int) -> None:
    """Its bound, or the least of all at the time, and one adapter's share more at most."""
    shares = [(f"adapter-{index}", times / sum(asked)) for index, times in enumerate(asked)]
    has = dict.fromkeys(NAMES[:count], 0.0)
    for (_, share), found in zip(shares, homes(shares, NAMES[:count]), strict=True):
        assert len(found) == len(set(found)) == copies(share, count)
        for server in found:
            has[server] += share / len(found)
    widest = max(share / copies(share, count) for _, share in shares)
    assert max(has.values()) <= ADAPTER_HEADROOM / count + widest + 1e-9


def test_forty_adapters_that_are_asked_alike_are_spread_over_four_servers() -> None:
    """By their names alone one server would have 16 of them, and two fifths of the requests."""
    alike = [(f"adapter-{index}", 1 / 40) for index in range(40)]
    preferred = [order(alias, NAMES[:4])[0] for alias, _ in alike]
    found = [servers[0] for servers in homes(alike, NAMES[:4])]
    assert max(Counter(preferred).values()) == 16
    assert max(Counter(found).values()) == 11
    assert sum(one == other for one, other in zip(preferred, found, strict=True)) >= 34


def test_conversations_meet_their_cache_again_and_the_load_stays_even() -> None:
    """Four servers, 64 requests at once, 400 conversations of eight turns, one in ten by one script."""
    found = random.Random(1)
    calls: Counter[str] = Counter(dict.fromkeys(NAMES[:4], 0))
    under_way: list[str] = []
    seen: defaultdict[str, set[str]] = defaultdict(set)
    hits = most = 0
    turns = [f"talk {index}" if index % 10 else "a script" for index in range(400) for _ in range(8)]
    found.shuffle(turns)
    for key in turns:
        taken = choose(Beginning(conversation=key), {name: Load(calls[name], age=60) for name in calls})
        hits += key in seen[taken]
        seen[taken].add(key)
        calls[taken] += 1
        under_way.append(taken)
        most = max(most, calls[taken])
        if len(under_way) == 64:
            calls[under_way.pop(found.randrange(64))] -= 1
    assert most <= 21  # 1.25 times 64 / 4, and the one that is added
    assert hits / len(turns) > 0.7  # at random over four servers: under 0.62


@given(st.text(min_size=1), st.text(), st.text(), st.floats(0, 1))
def test_a_template_lives_on_as_many_servers_as_it_is_asked_for(
    template: str, one: str, other: str, share: float
) -> None:
    """And a conversation on one of them, the same in all its turns."""
    idle = {name: Load(0, age=60) for name in NAMES[:4]}
    found = [choose(Beginning(template, talk), idle, share) for talk in (one, other, one)]
    assert found[0] == found[2]
    assert set(found) <= set(order(template, idle)[: copies(share, 4)])


def test_the_share_of_a_template_is_what_it_had_lately() -> None:
    shares = Shares()
    assert shares.of("first") == 0.01  # of a hundred that are still to come
    for index in range(2_000):
        found = shares.of("hot" if index % 4 else f"once {index}")
    assert 0.7 < shares.of("hot") < 0.8
    assert found < 0.8
    for _ in range(20_000):
        shares.of("new")
    assert shares.of("hot") < 0.01
    assert len(shares._counts) < 1_000  # those that came once are forgotten


def test_a_server_that_came_up_gets_its_share_step_by_step() -> None:
    found = []
    for age in (0.0, SLOW_START / 2, SLOW_START):
        calls: Counter[str] = Counter({"old": 0, "new": 0})
        for index in range(100):
            loads = {"old": Load(calls["old"], 60), "new": Load(calls["new"], age)}
            taken = choose(Beginning(conversation=f"talk {index}"), loads)
            calls[taken] += 1
        found.append(calls["new"])
    assert found[0] <= 13 < found[1] <= found[2]
    assert 37 <= found[2] <= 63
