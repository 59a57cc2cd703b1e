"""Rules and parameters of routes.yaml: what is refused where, and what they do to a request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service.errors import RoutesRejected
from service.routes import RouteTable, load_table
from service.sections import LimitSettings
from tests.service.conftest import Running, Start
from tests.service.parts import ROUTES, SpellingEncoder, write_settings

RULES = """\
rules:
  - {name: number, intent: track_parcel, pattern: 'PX-?\\d{6}'}
  - {name: spam, intent: null, keywords: [casino, 赌场]}
"""
PARAMETERS = "    parameters: {shop: 'from (\\w+)'}\n"
RULED = (ROUTES + RULES).replace(
    "    description: where is it\n", f"    description: where is it\n{PARAMETERS}"
)


def table_of(folder: Path, routes: str) -> RouteTable:
    settings = write_settings(folder, "http://127.0.0.1:1", routes=routes)
    return load_table(settings.router.routes, settings.prompts, LimitSettings())


async def test_a_rule_is_named_and_its_parameters_reach_the_prompt(start: Start) -> None:
    async with start(routes=RULED) as running:
        response = await running.ask("is PX482913 from Ebbo here")
        assert response.headers["x-pointsman-intent"] == "track_parcel"
        assert response.headers["x-pointsman-confidence"] == "1.0000"
        assert running.vllm.requests[-1]["messages"][0]["content"] == "support of Ebbo"
        await running.ask("where is my parcel")
        assert running.vllm.requests[-1]["messages"][0]["content"] == "support of Northway"
        answer = await explained(running, "is PX482913 from Ebbo here")
        assert answer["rule"] == {"name": "number", "matched": "PX482913"}
        assert answer["parameters"] == {"shop": "Ebbo"}
        answer = await explained(running, "where is my parcel")
        assert (answer["rule"], answer["parameters"]) == (None, {})
        answer = await explained(running, "哪个赌场最好")
        assert (answer["intent"], answer["abstained"], answer["route"]["intent"]) == (None, True, "fallback")
        assert "casino" not in str((await running.http.get("/ready")).json()["routes"]["warnings"])


async def test_a_mistyped_word_is_told_and_reaches_the_prompt_as_written(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SpellingEncoder, "words", frozenset(re.findall(r"[a-z]+", ROUTES)))
    async with start(routes=RULED) as running:
        assert "read_as" not in await explained(running, "where is my parcel")
        answer = await explained(running, "where is my parcle from Ebbbo")
        assert (answer["read_as"], answer["text"]) == ({"parcle": "parcel"}, "where is my parcle from Ebbbo")
        assert answer["parameters"] == {"shop": "Ebbbo"}
        await running.ask("where is my parcle from Ebbbo")
        assert running.vllm.requests[-1]["messages"][-1]["content"] == "where is my parcle from Ebbbo"


async def explained(running: Running, text: str) -> dict[str, Any]:
    response = await running.http.post("/v1/route", json={"text": text})
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


async def test_rules_change_without_a_new_fit_and_warn(running: Running) -> None:
    live = running.gateway.routes.live
    assert live is not None
    rule = "rules: [{name: sums, intent: track_parcel, keywords: [plus]}]\n"
    (running.folder / "routes.yaml").write_text(ROUTES + rule, "utf-8")
    response = await running.http.post("/admin/routes/reload", headers=running.admin)
    assert response.json()["warnings"][0] == (
        "the rule 'sums' leads 2 of 7 examples of 'arithmetic' elsewhere, such as 'what is 12 plus 30'"
    )
    assert running.gateway.routes.live is not None
    assert running.gateway.routes.live.router.model is live.router.model
    assert (await running.ask("what is 12 plus 30")).headers["x-pointsman-intent"] == "track_parcel"


def test_everything_wrong_with_rules_is_said_at_its_place(tmp_path: Path) -> None:
    slow = "".join(f"  - {{name: c{n}, intent: null, pattern: foo.*bar{n}}}\n" for n in range(9))
    with pytest.raises(RoutesRejected) as caught:
        table_of(
            tmp_path,
            ROUTES + "rules:\n"
            "  - {name: a, intent: track, keywords: [refund]}\n"
            "  - {name: a, intent: null, keywords: [Refund, x]}\n"
            "  - {name: b, intent: arithmetic, keywords: [refund]}\n" + slow,
        )
    start = ROUTES.count("\n") + 2
    for line, words in (
        (start, "rules.0.intent: there is no route 'track'; known: arithmetic, track_parcel"),
        (start + 1, "rules.1.name: the name 'a' is given twice"),
        (start + 2, "rules.2.keywords.0: the rule 'a' has 'refund' too and comes first"),
        (start - 1, "rules: the patterns together could take 3e+08 steps"),
    ):
        assert any(f"routes.yaml:{line}: {words}" in problem for problem in caught.value.problems), (
            words,
            caught.value.problems,
        )
    assert len(caught.value.problems) == 4


def test_rules_have_a_strict_form(tmp_path: Path) -> None:
    with pytest.raises(RoutesRejected) as caught:
        table_of(
            tmp_path,
            ROUTES + "rules:\n"
            "  - {name: a, intent: null, pattern: '(a+)+$'}\n"
            "  - {name: b, intent: null, pattern: '('}\n"
            "  - {name: c, intent: null}\n"
            "  - {name: d, intent: null, keywords: [x], pattern: y}\n"
            "  - {name: a b, keywords: ['', x]}\n"
            "  - {name: e, intent: null, keyword: [x]}\n",
        )
    said = "\n".join(caught.value.problems)
    for words in (
        "rules.0.pattern: the pattern could take more than 2e+15 steps",
        "rules.1.pattern: the pattern is not a regular expression",
        "rules.2: a rule has either keywords or a pattern",
        "rules.3: a rule has either keywords or a pattern",
        "rules.4.name",
        "rules.4.intent: is required",
        "rules.4.keywords.0",
        "rules.5.keyword: unknown key; did you mean 'keywords'?",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{shop: 'from (\\w+)'}", "{shopp: x}", "parameters.shopp: prompt support@1 does not declare"),
        (
            "{shop: 'from (\\w+)'}",
            "{shop: '(x+x+)+y'}",
            "parameters.shop: the pattern could take more than 2e+15 steps",
        ),
        ("    prompt: support\n", "", "parameters: there is no prompt that could use them"),
    ],
)
def test_parameters_are_checked_against_the_prompt(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(RoutesRejected) as caught:
        table_of(tmp_path, RULED.replace(old, new))
    assert any(says in problem for problem in caught.value.problems)


def test_a_parameter_that_may_not_be_found_needs_a_default(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, "http://127.0.0.1:1", routes=RULED)
    prompt = settings.prompts / "support.yaml"
    prompt.write_text(prompt.read_text("utf-8").replace("{default: Northway}", "{}"), "utf-8")
    with pytest.raises(RoutesRejected, match="needs the variables shop; a parameter may not be found"):
        load_table(settings.router.routes, settings.prompts, LimitSettings())
    fixed = RULED.replace(PARAMETERS, f"{PARAMETERS}    variables: {{shop: none}}\n")
    settings.router.routes.write_text(fixed, "utf-8")
    assert load_table(settings.router.routes, settings.prompts, LimitSettings()).policy.parameters


PARENT = """\
  - {intent: parcels, prompt: support, chain: direct, adapter: chat}
"""
CHILD = ROUTES.replace("    chain: direct\n", "    chain: direct\n    parent: parcels\n")


async def test_a_parent_has_a_track_of_its_own_and_needs_no_examples(start: Start) -> None:
    rules = "rules: [{name: boss, intent: parcels, keywords: [boss]}]\n"
    aside = PARENT.replace("adapter: chat", "adapter: chat, aside: true")
    async with start(routes=CHILD + aside + rules) as running:
        answer = await explained(running, "where is my parcel")
        assert (answer["intent"], answer["route"]["parent"]) == ("track_parcel", "parcels")
        response = await running.ask("let me speak to your boss")
        assert response.headers["x-pointsman-intent"] == "parcels"
        assert response.headers["x-pointsman-adapter"].startswith("chat@")
        live = running.gateway.routes.live
        assert live is not None
        assert live.router.policy.parents == {"track_parcel": "parcels"}
        assert live.router.policy.homes["arithmetic"] == "math"
        assert live.router.policy.switch_cost == 0.02
        assert live.router.policy.asides == {"parcels"}


@pytest.mark.parametrize(
    ("routes", "says"),
    [
        (CHILD, "routes.0.parent: there is no route 'parcels'; known: track_parcel, arithmetic"),
        (
            CHILD + PARENT.replace("chain:", "parent: track_parcel, chain:"),
            "routes.0.parent: 'track_parcel' would be above itself",
        ),
        (ROUTES + PARENT, "routes.2: needs examples, a rule that leads to it, or children"),
        (
            ROUTES[: ROUTES.rindex("    examples:")],
            "routes: two routes with examples are needed, found 1",
        ),
    ],
)
def test_a_tree_without_a_root_or_a_leaf_is_refused(tmp_path: Path, routes: str, says: str) -> None:
    with pytest.raises(RoutesRejected) as caught:
        table_of(tmp_path, routes)
    assert any(says in problem for problem in caught.value.problems), caught.value.problems
