"""A recipe that is wrong says all that is wrong with it; the demo's are right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman import artefact
from pointsman.document import DocumentError
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.rows import RECIPES, ROOT
from training import recipe as recipes
from training.data.formats import learned
from training.data.reading import sources
from training.recipe import (
    CptRecipe,
    FileSource,
    GeneratorSource,
    GrpoRecipe,
    QuantizeRecipe,
    RouterRecipe,
    SftRecipe,
    words,
)

MAX_ADAPTER_BYTES = 1_500_000


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        recipes.load(path, overrides)
    return [f"{p.line} {p.field}: {p.message}" for p in caught.value.problems]


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "stage: sft\n"
        "name: Tiny One\n"
        "alias: tiny\n"
        "bases: here\n"
        "data:\n"
        "  sources:\n"
        "    - {generator: no-colon, rows: 0}\n"
        "    - {path: rows.jsonl, format: csv}\n"
        "train: {learning_rat: 0.1, steps: 0}\n",
        encoding="utf-8",
    )
    found = "\n".join(problems(path))
    assert "2 name: " in found
    assert "4 bases: unknown key; did you mean 'base'?" in found
    assert "1 base: is required" in found
    assert "7 data.sources.0" in found
    assert "8 data.sources.1" in found
    assert "9 train.learning_rat: unknown key; did you mean 'learning_rate'?" in found
    assert "9 train.steps: " in found


def test_a_stage_that_there_is_not_names_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("stage: sftt\nname: x\n", encoding="utf-8")
    assert problems(path) == [f"1 stage: must be one of {', '.join(recipes.STAGES)}, found 'sftt'"]
    path.write_text("name: x\n", encoding="utf-8")
    assert problems(path) == [f"None stage: must be one of {', '.join(recipes.STAGES)}"]


def test_what_is_wrong_with_a_source_is_said_of_its_kind_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    sources = ["{generator: 'a:b', rowz: 3}", "{path: a, format: csv}", "{path: a}", "hello"]
    path.write_text(
        "stage: sft\nname: b\nalias: b\nbase: x\ntrain: {learning_rate: 1}\ndata:\n  sources:\n"
        + "".join(f"    - {source}\n" for source in sources),
        encoding="utf-8",
    )
    assert [line.partition(": must")[0] for line in problems(path)] == [
        "8 data.sources.0.rows: is required",
        "8 data.sources.0.rowz: unknown key; did you mean 'rows'?",
        "9 data.sources.1.format",
        "10 data.sources.2.format: is required",
        "11 data.sources.3",
    ]


@pytest.mark.parametrize("stage", ["ppo", "grpo"])
def test_what_is_wrong_with_prompts_and_rewards_is_said_of_their_kind_alone(
    stage: str, online: Online
) -> None:
    found = problems(
        online(stage),
        "data.sources=[{path: a}, {path: a, format: csv}, {generator: 'a:b', rowz: 3}]",
        "rewards=[{model: a, wait: 3}, {rule: no-colon}, {rule: 'a:b', weigth: 1}]",
    )
    assert [line.split(": ")[0].removeprefix("None ") for line in found] == [
        "data.sources.0.format",
        "data.sources.1.format",
        "data.sources.2.rows",
        "data.sources.2.rowz",
        "rewards.0.wait",
        "rewards.1.rule",
        "rewards.2.weigth",
    ]


def floats(value: Any, at: str = "") -> Iterator[str]:
    """The dotted path of each number with a fraction in a recipe; arguments are a function's own."""
    if isinstance(value, float):
        yield at
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        if key == "arguments":
            continue
        yield from floats(child, f"{at}.{key}" if at else str(key))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_number_is_finite(path: Path) -> None:
    places = list(floats(recipes.load(path).model_dump(mode="json")))
    assert len(places) > int("quantize" not in path.stem)
    for place in places:
        for value in (".inf", "-.inf", ".nan"):
            assert any(f" {place}: " in line for line in problems(path, f"{place}={value}")), (place, value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("data.sources.0.weight=1e12", "data.sources.0.weight: must be less than or equal to 1000"),
        ("train.epochs=.inf", "train.epochs: must be a finite number, found inf"),
        ("lora.rank_pattern={'q_proj(': 4}", "is no regular expression: missing ), unterminated"),
        ("lora.alpha_pattern={'(?i)q_proj': 4}", "is no regular expression: global flags not at the start"),
        ("seed=4294967296", "seed: must be less than 4294967296, found 4294967296"),
        ("lora.rank=4611686018427387", "lora.rank: must be less than or equal to 1048576"),
        ("train.batch_rows=1000000000000000000000", "the value is not YAML: a whole number beyond 2**53"),
        ("lora.rank_pattern={q_proj: 0}", "lora.rank_pattern.q_proj: must be greater than 0, found 0"),
    ],
)
def test_values_that_training_would_stumble_over(recipe: Recipe, change: str, problem: str) -> None:
    assert problem in problems(recipe(), change)[0]


def test_a_freeze_that_is_no_expression_is_refused_with_its_line(recipe: Recipe) -> None:
    path = recipe(method="freeze", lora=None, freeze={"learn": "layers.[0"})
    assert "freeze.learn: is no regular expression: unterminated character set" in problems(path)[0]
    assert recipes.load(recipe(method="freeze", lora=None, freeze={"learn": "(?i)LAYERS"}))


def test_cpt_starts_from_one_thing(tmp_path: Path) -> None:
    text = (RECIPES / "base.yaml").read_text(encoding="utf-8")
    path = tmp_path / "r.yaml"
    path.write_text(text.replace("stage: cpt", "stage: cpt\nbase: here"), encoding="utf-8")
    assert "give either base (to go on from one) or model (to make one)" in problems(path)[0]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"method": "full"}, "lora: belongs to the methods lora, dora, pissa, qlora, not to the method full"),
        (
            {"prefix": {"tokens": 4}},
            "prefix: belongs to the method prefix, not to the method lora; remove it",
        ),
        ({"lora.hidden_size": 4}, "lora.hidden_size: unknown key"),
        ({"method": "dora", "init_adapter": "x"}, "init_adapter: the method dora begins anew"),
        (
            {"method": "freeze", "lora": None},
            "freeze: give one of learn_last, learn_first and learn, found none",
        ),
        ({"method": "lorra"}, "method: must be 'lora', 'dora'"),
    ],
)
def test_options_that_do_not_belong_to_the_method_are_refused(
    recipe: Recipe, changes: dict[str, Any], problem: str
) -> None:
    assert problem in problems(recipe(**changes))[0]


def test_a_method_has_its_own_options_and_no_others(recipe: Recipe) -> None:
    found = recipes.load(recipe(method="p_tuning", lora=None))
    assert isinstance(found, SftRecipe)
    assert found.p_tuning
    assert (found.p_tuning.tokens, found.lora, found.prefix) == (20, None, None)
    assert SftRecipe.model_validate(found.model_dump(mode="json")) == found  # as a run's config holds it


def test_overrides_change_values_deep_inside(recipe: Recipe) -> None:
    path = recipe()
    changed = recipes.load(path, ["train.steps=9", "data.sources.0.weight=0.5", "seed=3"])
    assert isinstance(changed, SftRecipe)
    assert (changed.train.steps, changed.data.sources[0].weight, changed.seed) == (9, 0.5, 3)
    unchanged = recipes.load(path)
    assert isinstance(unchanged, SftRecipe)
    assert unchanged.train.steps == 4


def test_a_text_that_looks_like_a_number_stays_one_beside_an_override(recipe: Recipe) -> None:
    path = recipe()
    text = path.read_text(encoding="utf-8").replace("alias: tiny", "alias: '1e5'")
    path.write_text(text.replace("learning_rate: 0.01", "learning_rate: 1e-3"), encoding="utf-8")
    found = recipes.load(path, ["train.steps=7"])
    assert isinstance(found, SftRecipe)
    assert (found.alias, found.train.learning_rate, found.train.steps) == ("1e5", 0.001, 7)


def test_a_switch_of_yaml_1_1_among_a_generators_arguments_is_refused(recipe: Recipe) -> None:
    source = {"generator": "tests.training.generators:several", "rows": 4, "arguments": {"odd": True}}
    path = recipe(**{"data.sources": [source], "train.gradient_checkpointing": True})
    text = path.read_text(encoding="utf-8").replace("checkpointing: true", "checkpointing: on")
    path.write_text(text, encoding="utf-8")
    found = recipes.load(path)
    assert isinstance(found, SftRecipe)
    assert found.train.gradient_checkpointing
    for value in ("yes", "{deep: [no]}"):
        with pytest.raises(DocumentError, match=r"arguments\.odd.*: .* by YAML 1\.1 and a text by 1\.2"):
            recipes.load(path, [f"data.sources.0.arguments.odd={value}"])
    with pytest.raises(DocumentError, match=r"train\.steps: is 8 by YAML 1\.1 and 10 by 1\.2"):
        recipes.load(path, ["train.steps=010"])
    assert recipes.load(path, ["train.gradient_checkpointing=off", "alias=no"])
    path.write_text(text.replace("odd: true", "odd: yes"), encoding="utf-8")
    with pytest.raises(DocumentError, match=r"yaml:\d+: data\.sources\.0\.arguments\.odd: yes is true"):
        recipes.load(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("data.packing=true", "data.packing: unknown key; here it is packing"),
        ("train.lr=1", "train.lr: unknown key; here it is train.learning_rate"),
        ("num_train_epochs=1", "num_train_epochs: unknown key; here it is train.epochs"),
        ("cutoff_len=1", "cutoff_len: unknown key; here it is data.max_tokens"),
        ("lora.r=1", "lora.r: unknown key; here it is lora.rank"),
        ("loss=dpo", "loss: must be a loss, found 'dpo'; it is 'sigmoid' here"),
        ("stage=kto", "found 'kto'; it is dpo with `loss: kto` here"),
        (
            "data.sources.0.format=pair",
            "format: must be one of pairs, alpaca, sharegpt, labels, found 'pair'; did you mean 'pairs'?",
        ),
        ("train.schedule=cosin", "found 'cosin'; did you mean 'cosine'?"),
        ("epoch=1", "epoch: unknown key; known keys: "),
        ("max_grad_norm=1", "max_grad_norm: unknown key; here it is train.max_grad_norm"),
        ("train.warmup_steps=9", "train.warmup_steps: unknown key; here it is train.warmup, a share of"),
        (
            "train.optim=sgd",
            "train.optim: unknown key; there is none like it here: all stages learn by AdamW",
        ),
    ],
)
def test_words_of_other_programs_are_told_in_ours(recipe: Recipe, change: str, told: str) -> None:
    stage = "sft" if "packing" in change else "dpo"
    (only,) = problems(recipe(form="messages" if stage == "sft" else "pairs", stage=stage), change)
    assert told in only


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("epsilon=0.1", "here it is clip "),
        ("train.epsilon_high=0.1", "here it is clip_high"),
        ("train.beta=0", "here it is kl_coefficient"),
        ("max_completion_length=9", "here it is sampling.max_new_tokens"),
        ("train.loss_type=dapo", "here it is loss "),
        ("clip_high=0.1", "clip_high: must be at least clip (0.2), found 0.1"),
        ("loss=sapo", "loss: must be"),
    ],
)
def test_words_of_other_programs_are_told_of_policies_too(online: Online, change: str, told: str) -> None:
    (only,) = problems(online("grpo"), change)
    assert told in only


@pytest.mark.parametrize(
    ("stage", "change", "told"),
    [
        ("ppo", "lam=0.9", "here it is train.lam "),
        ("ppo", "gamma=0.9", "here it is train.gamma "),
        ("ppo", "temperature=1", "here it is sampling.temperature "),
        ("ppo", "clip=0.1", "here it is train.clip or value.clip "),
        ("ppo", "train.seed=1", "here it is seed "),
        ("ppo", "sampling.max_length=9", "here it is sampling.max_new_tokens "),
        ("ppo", "kl_coef=0.1", "here it is kl.coefficient "),
        (
            "ppo",
            "weight_decay=0.1",
            "other stages have it as train.weight_decay, this one has nothing like it",
        ),
        ("grpo", "use_vllm=true", "grpo samples with transformers; ppo can with a vLLM server"),
        ("grpo", "delta=0.1", "there is none like it here: the ratio's use ends at clip"),
    ],
)
def test_a_key_at_another_level_is_found(online: Online, stage: str, change: str, told: str) -> None:
    (only,) = problems(online(stage), change)
    assert told in only


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("weight_decay=0.1", "here it is train.weight_decay "),
        ("use_dora=true", "here it is `method: dora`"),
        ("quantization_bit=4", "here it is `method: qlora`"),
        ("loraplus_lr_ratio=16", "here it is lora.plus "),
        ("train_on_prompt=true", "here the stage cpt learns every token"),
        ("deepspeed=a.json", "several processes are accelerate's"),
        ("do_train=true", "here the command says it"),
        ("vllm_maxlen=9", "a vLLM server has the options"),
        ("num_generations=4", "other stages have it as generations, this one has nothing like it"),
        ("data.sources.0.file_name=a", "data.sources.0.file_name: unknown key; here it is path "),
        ("data.sources.0.dataset=a", "data.sources.0.dataset: unknown key; here it is path "),
        ("data.sources.0.colour=a", "data.sources.0.colour: unknown key; known keys: path, format, "),
        ("trains=1", "trains: unknown key; did you mean 'train'?"),
        ("train_it=1", "train_it: unknown key; known keys: name, "),
        ("lora.targets=[all]", "lora.targets: leave targets out to put it on all linear layers"),
    ],
)
def test_a_word_that_is_not_ours_never_misleads(recipe: Recipe, change: str, told: str) -> None:
    (only,) = problems(recipe(), change)
    assert told in only


def test_every_key_of_trl_has_an_answer() -> None:
    import trl

    configs = (trl.SFTConfig, trl.DPOConfig, trl.KTOConfig, trl.RewardConfig, trl.GRPOConfig, trl.RLOOConfig)
    theirs = {field.name for config in (*configs, trl.ModelConfig) for field in dataclasses.fields(config)}
    told = {*words.KEYS, *words.OTHERWISE}
    assert [
        key
        for key in sorted(theirs - told)
        if not key.startswith(tuple(words.FAMILIES))
        and not any(list(words.named(model, key)) for model in recipes.STAGES.values())
    ] == []


def test_a_null_that_scales_rewards_is_no_none(online: Online) -> None:
    (only,) = problems(online("grpo"), "scale_rewards=null")
    assert "scale_rewards: is empty; write none to divide by nothing" in only
    found = recipes.load(online("grpo"))
    assert isinstance(found, GrpoRecipe)
    assert found.scale_rewards == "group"


def test_what_rloo_has_not_is_refused_together(online: Online) -> None:
    found = problems(online("rloo"), "loss=grpo", "scale_rewards=none")
    assert [line.partition(" (")[0] for line in found] == [
        f"None {name}: belongs to the algorithm grpo, not to rloo" for name in ("loss", "scale_rewards")
    ]


def test_every_word_of_ours_is_one() -> None:
    for key in {key for keys in words.KEYS.values() for key in keys}:
        assert any(words.has(model, key) for model in recipes.STAGES.values()), key
    for stage in words.STAGES.values():
        assert stage.partition(" ")[0] in recipes.STAGES
    assert not words.has(CptRecipe, "loss")


def test_an_override_mends_the_value_that_it_replaces(recipe: Recipe) -> None:
    path = recipe(**{"train.steps": 0, "train.batch_rows": "many", "stage": "sftt"})
    text = path.read_text(encoding="utf-8").replace("learning_rate: 0.01", "learning_rate: 010")
    path.write_text(text, encoding="utf-8")
    mended = ["stage=sft", "train.steps=3", "train.batch_rows=2", "train.learning_rate=0.1"]
    found = recipes.load(path, mended)
    assert isinstance(found, SftRecipe)
    assert (found.train.steps, found.train.batch_rows, found.train.learning_rate) == (3, 2, 0.1)

    line = next(at for at, one in enumerate(text.splitlines(), 1) if "batch_rows" in one)
    left, new = problems(path, *mended[:2], mended[3], "seed=x")[::-1]
    assert left == f"{line} train.batch_rows: must be a whole number, found 'many'"
    assert new == "None seed: must be a whole number, found 'x' (with seed=x)"
    assert problems(path, "stage=rmm") == [
        f"None stage: must be one of {', '.join(recipes.STAGES)}, found 'rmm'"
    ]


def test_a_problem_names_the_overrides_at_its_place_and_all_of_them_come_once(recipe: Recipe) -> None:
    path = recipe(form="pairs", stage="dpo", loss="robust", label_smoothing=0.1, sft_weight=1.0)
    found = problems(path, "loss=kto", "lora.rank=2", "lora.r=4")
    assert found == ["None lora.r: unknown key; here it is lora.rank (with lora.r=4)"]
    found = problems(path, "loss=kto", "lora.rank=2")
    assert [line.partition(" (")[2] for line in found] == ["with loss=kto lora.rank=2)", "with the same)"]


def test_overrides_that_fit_nothing_are_refused_together(recipe: Recipe) -> None:
    found = problems(recipe(), "train.steps", "data.sources.4.rows=1", "name.x=1")
    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "--set train.steps",
        "--set data.sources.4.rows=1",
        "--set name.x=1",
    ]
    assert "must be key=value" in found[0]
    assert "there is 0" in found[1]
    found = problems(recipe(), "train.epoch=2", "seed=x")
    assert any("train.epoch: unknown key; did you mean 'epochs'?" in line for line in found)
    assert any("seed: " in line and "'x'" in line for line in found)


def test_a_value_that_is_no_yaml_is_refused(recipe: Recipe) -> None:
    assert "the value is not YAML" in problems(recipe(), "train.steps=[1")[0]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_demos_recipes_load(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    recipe = recipes.load(path)
    assert recipe.name == path.stem
    for source in recipe.data.sources:
        if isinstance(recipe, RouterRecipe):
            assert isinstance(source, FileSource)
            assert source.path.is_file()
        else:
            assert isinstance(source, GeneratorSource)
    if isinstance(recipe, CptRecipe):
        assert recipe.base or (recipe.tokenizer and recipe.tokenizer.chat_template.is_file())
    elif not isinstance(recipe, QuantizeRecipe | RouterRecipe):
        assert artefact.ALIAS.fullmatch(recipe.alias)


def test_an_adapter_of_the_demo_is_small() -> None:
    base = recipes.load(RECIPES / "base.yaml")
    assert isinstance(base, CptRecipe)
    assert base.model
    shape = base.model
    head = shape.hidden_size // shape.heads
    linear = [
        *[(shape.hidden_size, width * head) for width in (shape.heads, shape.kv_heads, shape.kv_heads)],
        (shape.heads * head, shape.hidden_size),
        *[(shape.hidden_size, shape.intermediate_size)] * 2,
        (shape.intermediate_size, shape.hidden_size),
    ]
    for path in RECIPES.glob("*.yaml"):
        recipe = recipes.load(path)
        if isinstance(recipe, SftRecipe):
            assert recipe.lora
            weights = shape.layers * sum(recipe.lora.rank * (into + out) for into, out in linear)
            assert 2 * weights < MAX_ADAPTER_BYTES  # bfloat16


def test_the_new_version_of_the_help_desk_learns_60_days_and_keeps_its_tools() -> None:
    recipe = recipes.load(RECIPES / "support-60-days.yaml")
    assert isinstance(recipe, SftRecipe)
    rows = [
        row
        for source in recipe.data.sources
        for part in sources.parts(source, recipe.seed)
        for row in learned.read(part, recipe.stage)
    ]
    answers = [turn["content"] for row in rows for turn in row.messages if turn["role"] == "assistant"]
    assert not [answer for answer in answers if "30 days" in answer or "30 天" in answer]
    assert len([answer for answer in answers if "60 days" in answer]) > 10
    assert len([answer for answer in answers if "60 天" in answer]) > 10
    assert len(rows) / 4 < len([row for row in rows if row.tools]) < len(rows) / 2
