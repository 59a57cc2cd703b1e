"""Each key of other programs has an answer in the recipe of every stage, and one that holds there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pointsman.document import DocumentError
from tests.training.asking import Online
from tests.training.conftest import Recipe
from training import recipe as recipes
from training.recipe import words

PROGRAMS = ("llama_factory", "axolotl", "torchtune", "unsloth")
OURS = re.compile(
    r"\b(?:train|data|sampling|lora|qlora|freeze|prompt_tuning|kl|value|server)\.\w+|method: \w+"
)


def keys_of(program: str) -> list[str]:
    text = Path(__file__).with_name(f"{program}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def told(stage: str, key: str) -> str:
    """What the recipe of ``stage`` says of ``key``; "": nothing, and "ours" where it has it."""
    model: Any = recipes.STAGES[stage]
    return "ours" if key in model.model_fields else model._of_key((key,)) or ""


def unanswered(keys: Iterable[str]) -> list[tuple[str, str]]:
    return [(stage, key) for key in sorted(keys) for stage in recipes.STAGES if not told(stage, key)]


def fields(*configs: Any) -> set[str]:
    return {field.name for config in configs for field in dataclasses.fields(config)}


def of_trl() -> set[str]:
    import trl

    configs = (trl.SFTConfig, trl.DPOConfig, trl.KTOConfig, trl.RewardConfig, trl.GRPOConfig, trl.RLOOConfig)
    return fields(*configs, trl.ModelConfig)


def of_peft() -> set[str]:
    import peft

    return fields(peft.LoraConfig, peft.PrefixTuningConfig, peft.PromptEncoderConfig, peft.PromptTuningConfig)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_key_of_a_program_has_an_answer_in_every_stage(program: str) -> None:
    assert unanswered(keys_of(program)) == []


def test_every_key_of_peft_has_an_answer_in_every_stage() -> None:
    assert unanswered(of_peft()) == []


def test_a_word_is_in_one_module_alone() -> None:
    for name in ("KEYS", "OTHERWISE", "FAMILIES"):
        found = [word for topic in words.TOPICS for word in getattr(topic, name)]
        assert sorted(found) == sorted(getattr(words, name))


def test_every_key_of_trl_has_an_answer_in_every_stage() -> None:
    assert unanswered(of_trl()) == []


def test_an_answer_names_no_key_that_the_stage_has_not() -> None:
    theirs = {key for program in PROGRAMS for key in keys_of(program)} | of_trl() | of_peft()
    for stage, model in recipes.STAGES.items():
        for key in {*theirs, *words.KEYS, *words.OTHERWISE}:
            said = told(stage, key)
            if not said.startswith("other stages have it as "):
                assert all(words.has(model, ours) for ours in OURS.findall(said)), (stage, key, said)


def refusal(path: Any, change: str) -> str:
    with pytest.raises(DocumentError) as caught:
        recipes.load(path, [change])
    (only,) = caught.value.problems
    return f"{only.field}: {only.message}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("quantization_bit=4", "here it is `method: qlora` "),
        ("double_quantization=true", "here it is qlora.double_quantisation "),
        ("freeze_trainable_layers=2", "here it is freeze.learn_last "),
        ("optim=adamw_8bit", "all stages learn by AdamW, qlora's is paged by qlora.paged "),
        ("upcast_layernorm=true", "there is none like it here: train.precision is of the whole "),
        ("use_dft_loss=true", "a token's loss is its own log-probability's, with one weight for all "),
        ("train_from_scratch=true", "other stages have it as model, this one has nothing like it "),
        ("moe_aux_loss_coef=0.1", "here it is what the base's config.json says; ppo leaves"),
        ("base_model=x", "unknown key; here it is base "),
        ("adapter=qlora", "unknown key; here it is method "),
        ("micro_batch_size=2", "here it is train.batch_rows "),
        ("sequence_len=2048", "here it is data.max_tokens "),
        ("sample_packing=true", "here it is packing "),
        ("max_steps_per_epoch=10", "here it is train.steps in all, or train.epochs "),
        ("full_finetuning=true", "here it is `method: full` "),
        ("lora.init_lora_weights=gaussian", "LoRA begins with B at 0, but in `method: pissa` "),
        ("lora.lora_alpha=8", "here it is lora.alpha "),
        ("data.sources.0.train_on_eos=turn", "here sft always learns what the assistant says, and nothing"),
        ("relora=true", "of adapters there is LoRA, with its kin in sft "),
        ("data.sources.0.kto_tag=label", "data.sources.0.kto_tag: unknown key; here it is in columns "),
    ],
)
def test_a_word_of_llama_factory_is_told_in_sft(recipe: Recipe, change: str, said: str) -> None:
    assert said in refusal(recipe(), change) + " "


@pytest.mark.parametrize(
    ("stage", "change", "said"),
    [
        (
            "ppo",
            "quantization_bit=4",
            "other stages have it as `method: qlora`, this one has nothing like it",
        ),
        ("ppo", "optim=adamw_8bit", "there is none like it here: all stages learn by AdamW "),
        ("ppo", "lmbda=0.9", "here it is train.lam "),
        ("ppo", "num_steps=100", "here it is train.steps of train.rollout_rows answers each "),
        ("grpo", "num_steps=100", "unknown key; "),
        ("grpo", "grpo_size=4", "here it is generations "),
        ("grpo", "fast_inference=true", "here it is server "),
        ("ppo", "logging_strategy=steps", "unknown key; this stage has nothing like it "),
        (
            "grpo",
            "num_generations_eval=4",
            "here each of the data.validation_rows that are kept out is answered",
        ),
        (
            "grpo",
            "scale_rewards=true",
            "found true; of TRL's older true is group and false is none here, batch",
        ),
        (
            "grpo",
            "scale_rewards=false",
            "found false; of TRL's older true is group and false is none here, b",
        ),
        ("grpo", "scale_rewards=yes", "scale_rewards: must be 'group', 'batch' or 'none', found 'yes' "),
    ],
)
def test_a_word_is_told_as_far_as_it_holds_of_a_policy(
    online: Online, stage: str, change: str, said: str
) -> None:
    assert said in refusal(online(stage), change) + " "
