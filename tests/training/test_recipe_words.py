"""A key that other programs have is answered with the key that Pointsman has."""

from __future__ import annotations

import dataclasses

import pytest

from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.continued import Continued
from tests.training.refused import lines
from training import recipe as recipes
from training.recipe import CptRecipe, words


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
    (only,) = lines(recipe(form="messages" if stage == "sft" else "pairs", stage=stage), change)
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
    (only,) = lines(online("grpo"), change)
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
        ("ppo", "gae_lambda=0.9", "here it is train.lam "),
        ("ppo", "critic_learning_rate=1", "here it is value.learning_rate "),
        (
            "ppo",
            "weight_decay=0.1",
            "other stages have it as train.weight_decay, this one has nothing like it",
        ),
        ("grpo", "use_vllm=true", "here it is server "),
        ("ppo", "rewards.0.rule=a.b.vowels", "with a colon before the function; is a.b:vowels meant?"),
        ("ppo", "rewards.0.rule=a b", "must be package.module:function, with a colon before the function,"),
        ("ppo", "data.sources.0.path=hf://a/b", "is an address, and a source is a file"),
        ("grpo", "vllm_server_base_url=a", "here it is server.url "),
        ("grpo", "vllm_importance_sampling_mode=a", "with a server grpo multiplies a token's loss"),
        ("grpo", "delta=0.1", "there is none like it here: the ratio's use ends at clip"),
    ],
)
def test_a_key_at_another_level_is_found(online: Online, stage: str, change: str, told: str) -> None:
    (only,) = lines(online(stage), change)
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
        ("data.eval_split=0.1", "here data.validation_rows are kept out of data.sources and evaluated on"),
        ("method=QLoRA", "found 'QLoRA'; did you mean 'qlora'?"),
        ("method=loraplus", "found 'loraplus'; it is lora with lora.plus, such as 16, here"),
        ("data.validation_rows=0.1", "must be a whole number of rows, and no share of them, found 0.1"),
        ("train.warmup=100", "must be a share of the steps below 1, such as 0.03, and no number of them"),
        ("name=Llama3_SFT", "must be small letters of a to z, digits, - and _, up to 63 of them, and begin"),
        ("alias=My Adapter", "begin with a letter or digit, such as 'my-adapter', found 'My Adapter'"),
        ("data.sources.0.path=https://x.org/a.json", "is an address, and a source is a file: download it"),
        ("lora.targets=[all]", "lora.targets: leave targets out to put it on all linear layers"),
    ],
)
def test_a_word_that_is_not_ours_never_misleads(recipe: Recipe, change: str, told: str) -> None:
    (only,) = lines(recipe(), change)
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


def test_every_word_of_ours_is_one() -> None:
    for key in {key for keys in words.KEYS.values() for key in keys}:
        assert any(words.has(model, key) for model in recipes.STAGES.values()), key
    for stage in words.STAGES.values():
        assert stage.partition(" ")[0] in recipes.STAGES
    assert not words.has(CptRecipe, "loss")


def test_a_key_of_a_list_is_not_told_of_one_that_is_called_so_elsewhere(continued: Continued) -> None:
    path = continued(method="freeze", freeze={"learn_last": 1}, unfreeze=[{"step": 3, "learn_last": 2}])
    (only,) = lines(path, "unfreeze.0.layers=1")
    assert "unfreeze.0.layers: unknown key; known keys: learn_last, learn_first, learn, step" in only
