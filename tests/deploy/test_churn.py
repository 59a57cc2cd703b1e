"""What loads and unloads cost: the changes are asked for as vLLM is asked, and the cost is what is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.bench.beside import churn, world
from deploy.bench.beside.asking import Ends, Sizes
from deploy.bench.serving.load import Run
from deploy.bench.serving.result import Result
from deploy.bench.serving.stub import serve

SIZES = Sizes(
    words=3, tokens=5, clients=2, requests=8, rounds=2, few=2, all=3, many_clients=4, crowd=8, seconds=0.1,
    overload=0.1, learning=0.1, narrow=1,
)  # fmt: skip
SECONDS = 0.02


def _answers(*stretches: tuple[float, float, int]) -> Run:
    """Answers one after the other, by begin, end and tokens; one more is sent at the end."""
    results = [
        Result("a", ended - began, first=0.0, tokens=tokens, at=began) for began, ended, tokens in stretches
    ]
    last = stretches[-1][1]
    return Run(last, (*results, Result("a", 1.0, first=0.5, tokens=9, at=last)), 0.0, began=100.0)


def test_the_cost_is_the_share_of_tokens_a_second_that_is_lost_while_there_are_changes() -> None:
    found = _answers((0.0, 4.0, 40), (4.0, 6.0, 15), (6.0, 8.0, 20))
    windows = [
        churn.Window(100.0, 104.0, 0),  # ten tokens a second
        churn.Window(104.0, 106.0, 8),  # 7.5
        churn.Window(106.0, 108.0, 0),
        churn.Window(108.0, 110.0, 8),  # ends after the last request was sent: does not count
    ]
    cost, rate = churn._cost(found, windows)
    assert cost == pytest.approx(0.25)
    assert rate == pytest.approx(4.0)


def test_an_answer_counts_in_a_window_as_far_as_it_lies_in_it() -> None:
    found = _answers((0.0, 3.0, 30), (3.0, 6.0, 30))
    windows = [churn.Window(100.0, 102.0, 0), churn.Window(102.0, 104.0, 1)]
    assert churn._cost(found, windows)[0] == pytest.approx(0.0)


def test_what_failed_gives_no_tokens() -> None:
    found = _answers((0.0, 2.0, 20), (2.0, 4.0, 20), (4.0, 5.0, 10))
    failed = replace(found.results[1], error="HTTP 500")
    found = replace(found, results=(found.results[0], failed, *found.results[2:]))
    windows = [churn.Window(100.0, 102.0, 0), churn.Window(102.0, 104.0, 1)]
    assert churn._cost(found, windows)[0] == pytest.approx(1.0)


def test_a_round_without_a_whole_window_of_changes_says_what_it_needs() -> None:
    found = _answers((0.0, 4.0, 40))
    with pytest.raises(RuntimeError, match="needs more requests"):
        churn._cost(found, [churn.Window(100.0, 103.0, 0), churn.Window(103.0, 105.0, 3)])


async def test_changes_are_asked_for_as_vllm_is_asked_and_a_refused_one_fails_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.named(tmp_path, world.DEMO / "base", 1, rank=8)
    asked: list[tuple[str, ...]] = []
    refused: list[str] = []

    def post(url: str, body: dict[str, str], key: str | None = None) -> None:
        way = url.rsplit("/", 1)[1]
        asked.append((way, *sorted(body)))
        if way in refused:
            raise RuntimeError("HTTP 400")

    monkeypatch.setattr(churn, "post", post)
    server = await serve(("a",), tokens=5, every=0.002, port=0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ends = Ends(url, url, SIZES, lambda _: None)
        row = await asyncio.to_thread(churn.row, ends, made, ["a"], "a00", "key", seconds=SECONDS)
        assert [len(row.numbers[of][whose]) for of in ("costs", "rates") for whose in ("ours", "plain")] == [
            SIZES.rounds
        ] * 4
        load, unload = (
            ("load_lora_adapter", "lora_name", "lora_path"),
            ("unload_lora_adapter", "lora_name"),  # a field more is refused
        )
        assert asked == [load, unload] * (len(asked) // 2)
        refused.append("unload_lora_adapter")
        with pytest.raises(RuntimeError, match="HTTP 400"):
            await asyncio.to_thread(churn.row, ends, made, ["a"], "a00", "key", seconds=SECONDS)
