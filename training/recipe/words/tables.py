"""All that is said of other programs' words, put together from the modules that know what they are about."""

from __future__ import annotations

from training.recipe.words import base, data, methods, optimisation, policies, preferences, running

TOPICS = (base, methods, data, optimisation, preferences, policies, running)

# theirs → where it is here; the first of them that the stage's recipe has
KEYS: dict[str, tuple[str, ...]] = {key: ours for topic in TOPICS for key, ours in topic.KEYS.items()}
# theirs → what is said of it where KEYS has nothing; ours is not the same, or there is none
OTHERWISE: dict[str, str] = {key: said for topic in TOPICS for key, said in topic.OTHERWISE.items()}
# how several of theirs begin → what is said of each; of two that fit the longer counts
FAMILIES: dict[str, str] = {start: said for topic in TOPICS for start, said in topic.FAMILIES.items()}
LOSSES = {"dpo": "sigmoid", "kto_pair": "kto"}
SCALED = {True: "group", False: "none"}  # TRL's scale_rewards, as it was before it had names
STAGES = {
    "pt": "cpt",
    "pretrain": "cpt",
    "reward": "rm",
    "reward_model": "rm",
    "kto": "dpo with `loss: kto`",
    "orpo": "dpo with `loss: orpo`",
    "simpo": "dpo with `loss: simpo`",
    "gptq": "quantize",
}


def family(name: str) -> str | None:
    """What is said of those that begin as ``name`` does."""
    starts = [start for start in FAMILIES if name.startswith(start)]
    return FAMILIES[max(starts, key=len)] if starts else None
