"""A release from artefact to traffic and back, killed wherever it can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pointsman.artefact import version_of
from tests.training.releasing import METRIC, OLD, FakeGateway, Killed, artefact, recipe, run
from training.errors import BadRows, ReleaseConflict
from training.release.journal import opened
from training.release.moving import Rows


def test_a_good_candidate_comes_step_by_step_to_all_traffic(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway()
    journal = run(recipe(new), gateway, tmp_path)
    assert journal.state == "promoted"
    assert gateway.live == [version_of(new)]
    assert gateway.calls == ["register", "load", "judge", "promote", "promote", "promote"]
    kept = json.loads((tmp_path / "r" / "release.json").read_text("utf-8"))
    assert list(kept["steps"]) == ["train", "register", "evaluate", "gate", "shadow", "canary", "promote"]
    [row] = kept["steps"]["gate"]["rows"]
    assert (row["metric"], row["outcome"], row["value"], row["live"]) == (METRIC, "pass", 0.9, 0.9)
    calls = list(gateway.calls)
    assert run(recipe(new), gateway, tmp_path).state == "promoted"  # nothing is done twice
    assert gateway.calls == calls


def test_a_training_recipe_is_trained_and_its_result_released(tmp_path: Path) -> None:
    gateway = FakeGateway()
    asked = recipe(tmp_path, artefact=None, train="recipes/desk.yaml")
    assert run(asked, gateway, tmp_path).state == "promoted"
    assert gateway.live == [version_of(tmp_path / "desk")]


def test_a_refused_candidate_gets_no_traffic_and_keeps_its_report(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway()
    journal = run(recipe(new), gateway, tmp_path, share=0.6)
    assert journal.state == "rejected"
    assert gateway.live == [OLD]
    assert gateway.most == 0
    [reason] = gateway.refused[version_of(new)]["reasons"]
    assert reason.startswith(f"{METRIC}: even 0.")
    assert journal.reasons == [reason]
    assert gateway.refused[version_of(new)]["rows"][0]["outcome"] == "fail"


@pytest.mark.parametrize("call", ["register", "load"])
def test_what_the_checks_or_the_probe_refuse_is_rejected_for_their_reason(tmp_path: Path, call: str) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway(refuses={call: ["layers.0: not a number", "rank 64 is over 32"]})
    journal = run(recipe(new), gateway, tmp_path)
    assert (journal.state, journal.reasons) == ("rejected", ["layers.0: not a number", "rank 64 is over 32"])
    assert (gateway.live, gateway.most) == ([OLD], 0)
    assert (version_of(new) in gateway.refused) == (call == "load")


def test_a_canary_that_fails_is_taken_back_and_refused(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway(failing=0.5)
    journal = run(recipe(new), gateway, tmp_path)
    assert journal.state == "rolled back"
    assert (gateway.live, gateway.most) == ([OLD], 10)
    assert "10 of 20 requests of the canary failed, 0 of " in journal.reasons[0]
    assert gateway.refused[version_of(new)]["reasons"] == journal.reasons


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("kind", ["good", "refused", "failing"])
def test_killed_at_any_call_it_goes_on_and_ends_the_same(tmp_path: Path, kind: str, effect: bool) -> None:
    new = artefact(tmp_path / "new")
    share, failing = (0.6 if kind == "refused" else 0.9), (0.5 if kind == "failing" else 0.0)
    whole = FakeGateway(failing=failing)
    ends = run(recipe(new), whole, tmp_path / "whole", share).state
    for at in range(1, len(whole.calls) + 1):
        gateway = FakeGateway(failing=failing, kill=(at, effect))
        runs = tmp_path / f"killed-{at}"
        with pytest.raises(Killed):
            run(recipe(new), gateway, runs, share)
        journal = run(recipe(new), gateway, runs, share)
        assert (journal.state, gateway.live) == (ends, whole.live)
        assert gateway.refused.keys() == whole.refused.keys()


@pytest.mark.parametrize("at", range(1, 7))
def test_one_command_undoes_it_wherever_it_is(tmp_path: Path, at: int) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway(kill=(at, True))
    with pytest.raises(Killed):
        run(recipe(new), gateway, tmp_path)
    assert run(recipe(new), gateway, tmp_path, undo=True).state == "undone"
    assert gateway.live == [OLD]
    assert run(recipe(new), gateway, tmp_path, undo=True).state == "undone"
    with pytest.raises(ReleaseConflict, match="was undone; give the release another name"):
        run(recipe(new), gateway, tmp_path)


def test_a_promoted_release_is_undone_too(tmp_path: Path) -> None:
    asked = recipe(artefact(tmp_path / "new"))
    gateway = FakeGateway()
    run(asked, gateway, tmp_path)
    run(asked, gateway, tmp_path, undo=True)
    assert gateway.live == [OLD]


def test_another_live_version_on_the_way_makes_it_compare_again(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway(kill=(3, True))  # the verdict is given, nothing promoted
    with pytest.raises(Killed):
        run(recipe(new), gateway, tmp_path)
    gateway.known.add("1" * 12)
    gateway.live = ["1" * 12]
    with pytest.raises(ReleaseConflict, match=f"support@{'1' * 12} is live now, .* compared with {OLD}"):
        run(recipe(new), gateway, tmp_path)
    journal = run(recipe(new), gateway, tmp_path)
    assert (journal.state, journal.steps["evaluate"]["live"]) == ("promoted", "1" * 12)


def test_conflicts_are_named_and_change_nothing(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    other = "2" * 12
    gateway = FakeGateway(live=[OLD, other], known={OLD, other})
    with pytest.raises(ReleaseConflict, match=f"support@{other} is a canary already"):
        run(recipe(new), gateway, tmp_path)
    gateway.live = [OLD]
    with pytest.raises(ReleaseConflict, match=r"holds a release of another recipe \(gate changed since\)"):
        run(recipe(new, gate=[{"metric": METRIC, "at_least": 0.1}]), gateway, tmp_path)
    with opened(recipe(new), tmp_path), pytest.raises(ReleaseConflict, match="another process"):
        run(recipe(new), gateway, tmp_path)
    run(recipe(new), gateway, tmp_path)
    with pytest.raises(ReleaseConflict, match="is live already"):
        run(recipe(new, name="again"), gateway, tmp_path)


def test_what_was_trained_from_other_data_goes_no_further(tmp_path: Path) -> None:
    artefact(tmp_path / "new")
    rows = tmp_path / "rows.jsonl"
    content = {
        "stage": "sft",
        "name": "new",
        "alias": "support",
        "base": "base",
        "lora": {"rank": 4, "alpha": 8},
        "data": {"sources": [{"path": str(rows), "format": "messages"}], "max_tokens": 256},
        "train": {"steps": 4, "batch_rows": 4, "learning_rate": 0.01},
    }
    (tmp_path / "new.yaml").write_text(json.dumps(content), encoding="utf-8")
    asked, gateway = recipe(tmp_path, artefact=None, train=str(tmp_path / "new.yaml")), FakeGateway()
    rows.write_text("one", encoding="utf-8")
    assert run(asked, gateway, tmp_path).state == "promoted"
    assert run(asked, gateway, tmp_path).state == "promoted"
    rows.write_text("other", encoding="utf-8")
    with pytest.raises(ReleaseConflict, match=r"release of other data: .*rows\.jsonl changed since.*--name"):
        run(asked, gateway, tmp_path)
    assert run(asked, gateway, tmp_path, undo=True).state == "undone"


def test_without_a_live_version_a_comparison_is_refused_and_a_number_is_not(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    assert "no version is live" in run(recipe(new), FakeGateway(live=[]), tmp_path).reasons[0]
    gateway = FakeGateway(live=[])
    asked = recipe(new, name="first", gate=[{"metric": METRIC, "at_least": 0.75}])
    assert run(asked, gateway, tmp_path).state == "promoted"
    assert gateway.calls.count("promote") == 1  # no canary beside nothing


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"artefact": None}, "give either train"),
        ({"alias": "Support"}, "must be an alias"),
        ({"gate": [{"metric": "answers.dask.correct", "at_least": 1}]}, "is of no part .*answers.desk"),
        ({"gate": []}, "at least 1 item"),
        ({"canary": {"steps": [{"weight": 10}]}}, "give either requests or seconds"),
        ({"canary": {"steps": [{"weight": w, "seconds": 1} for w in (50, 10)]}}, "must be over 50, found 10"),
    ],
)
def test_a_recipe_that_can_not_work_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        recipe(tmp_path, **changes)


def test_of_two_releases_of_one_alias_at_once_one_is_stopped_and_neither_is_mixed(tmp_path: Path) -> None:
    one, other = recipe(artefact(tmp_path / "1", "1")), recipe(artefact(tmp_path / "2", "2"), name="other")
    for at in range(1, 7):  # the other one is run whole after so many calls of the one
        gateway, runs = FakeGateway(kill=(at, True)), tmp_path / f"at-{at}"
        with pytest.raises(Killed):
            run(one, gateway, runs)
        if len(gateway.live) == 2:
            with pytest.raises(ReleaseConflict, match="is a canary already; promote it or take it back"):
                run(other, gateway, runs)
            assert run(one, gateway, runs).state == "promoted"
        elif at < 6:
            assert run(other, gateway, runs).state == "promoted"
            if at > 2:  # the verdict is of a comparison with the version that is gone
                with pytest.raises(ReleaseConflict, match="run the same command again"):
                    run(one, gateway, runs)
            assert run(one, gateway, runs).state == "promoted"
        assert len(gateway.live) == 1


def test_a_share_that_another_release_took_meanwhile_is_not_taken_from_it(tmp_path: Path) -> None:
    other, gateway = "2" * 12, FakeGateway()
    asked = recipe(artefact(tmp_path / "new"))
    look = gateway.versions

    def taken(self: FakeGateway) -> list[dict[str, Any]]:
        found = look()
        if "judge" in self.calls:  # right after this look
            self.known.add(other)
            self.live = [OLD, other]
        return found

    gateway.versions = taken.__get__(gateway)  # type: ignore[method-assign]
    with pytest.raises(ReleaseConflict):
        run(asked, gateway, tmp_path)
    assert gateway.live == [OLD, other]


def test_shadow_traffic_comes_before_any_share_and_ends_with_its_answers(tmp_path: Path) -> None:
    gateway = FakeGateway()
    asked = recipe(artefact(tmp_path / "new"), shadow={"answers": 30, "different": 0.5})
    journal = run(asked, gateway, tmp_path)
    assert journal.state == "promoted"
    assert gateway.calls[3:8] == ["shadow"] * 4 + ["promote"]  # three looks, and the end of it
    assert gateway.shadowed is None
    assert journal.steps["shadow"]["same"] == 30


def test_a_candidate_whose_shadow_answers_are_others_is_rejected_without_traffic(tmp_path: Path) -> None:
    gateway = FakeGateway(differing=0.9)
    asked = recipe(artefact(tmp_path / "new"), shadow={"answers": 30, "different": 0.3})
    journal = run(asked, gateway, tmp_path)
    assert (journal.state, gateway.live, gateway.most) == ("rejected", [OLD], 0)
    assert "9 of 10 shadow answers were not the live version's: 59.6 % at least" in journal.reasons[0]
    assert gateway.shadowed is None


def test_shadow_traffic_that_does_not_come_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    gateway = FakeGateway()
    asked = recipe(artefact(tmp_path / "new"), shadow={"answers": 10_000, "seconds": 3})
    assert run(asked, gateway, tmp_path).steps["shadow"]["same"] == 40


def test_undone_in_the_middle_of_shadow_traffic_it_ends_that_too(tmp_path: Path) -> None:
    gateway = FakeGateway(kill=(5, True))
    asked = recipe(artefact(tmp_path / "new"), shadow={"answers": 30})
    with pytest.raises(Killed):
        run(asked, gateway, tmp_path)
    during = gateway.shadowed
    assert run(asked, gateway, tmp_path, undo=True).state == "undone"
    assert (during, gateway.shadowed) == (version_of(tmp_path / "new"), None)
    assert gateway.live == [OLD]


def test_what_moves_is_there_before_the_first_request_and_judged_with_the_version(tmp_path: Path) -> None:
    new, texts = artefact(tmp_path / "new"), tmp_path / "returns.jsonl"
    rows = [{"text": f"send back {number}", "intent": "returns"} for number in range(30)]
    texts.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    prompt = tmp_path / "returns.yaml"
    prompt.write_text("name: returns\n", "utf-8")
    asked = recipe(
        new,
        moves={
            "routes": {"returns": {"prompt": "returns"}},
            "examples": {"path": str(texts)},
            "prompts": [str(prompt)],
        },
        routing={"returns": {"path": str(texts)}},
        gate=[
            {"metric": "routing.returns.correct", "at_least": 0.8},
            {"metric": "routing.returns.turned_away", "at_most": "live - 0.5"},
        ],
    )
    gateway = FakeGateway()
    journal = run(asked, gateway, tmp_path)
    assert journal.state == "promoted", journal.reasons
    assert gateway.calls[:3] == ["register", "carry", "load"]
    moves = gateway.moves[version_of(new)]
    assert moves.prompts == {"returns.yaml": "name: returns\n"}
    assert [(row["value"], row["live"]) for row in journal.steps["gate"]["rows"]] == [(1.0, 0.0), (0.0, 1.0)]


def test_moves_that_the_gateway_can_t_use_reject_the_candidate(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway(refuses={"carry": ["no chain 'cott'"]})
    journal = run(recipe(new, moves={"routes": {"returns": {"chain": "cott"}}}), gateway, tmp_path)
    assert (journal.state, journal.reasons, gateway.most) == ("rejected", ["no chain 'cott'"], 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"moves": {}}, "moves nothing"),
        ({"moves": {"routes": {"x": {"adapter": "math"}}}}, "the alias answers it"),
        ({"routing": {"x": {"generator": "a.b:c"}}}, "needs rows"),
        ({"routing": {"x": {}}}, "give either path"),
        ({"gate": [{"metric": "routing.x.correct", "at_least": 1}]}, "of no part of the evaluation"),
    ],
)
def test_a_recipe_whose_moves_can_t_be_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        recipe(tmp_path, **changes)


def test_rows_without_a_text_are_told_by_line(tmp_path: Path) -> None:
    texts = tmp_path / "rows.jsonl"
    texts.write_text('{"text": "a", "intent": null}\n{"intent": "x"}\nnone\n', "utf-8")
    with pytest.raises(BadRows) as caught:
        Rows(path=texts).read(0)
    assert [row.where.rpartition(":")[2] for row in caught.value.rows] == ["2", "3"]


def test_a_release_that_an_older_pointsman_began_goes_on(tmp_path: Path) -> None:
    new = artefact(tmp_path / "new")
    gateway = FakeGateway(kill=(2, False))
    with pytest.raises(Killed):
        run(recipe(new), gateway, tmp_path)
    path = tmp_path / "r" / "release.json"
    kept = json.loads(path.read_text("utf-8"))
    for added in ("moves", "routing", "convert"):
        del kept["recipe"][added]
    path.write_text(json.dumps(kept), "utf-8")
    gateway.kill = None
    assert run(recipe(new), gateway, tmp_path).state == "promoted"
