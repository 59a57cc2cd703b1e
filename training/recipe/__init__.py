"""Recipes: everything that decides what a training run gives, as one strict YAML document."""

from training.recipe.cpt import Architecture, CptRecipe, TokenizerPlan
from training.recipe.dpo import DpoRecipe
from training.recipe.grpo import GrpoRecipe
from training.recipe.loading import STAGES, Recipe, SupervisedRecipe, load
from training.recipe.online import (
    ModelReward,
    OnlineRecipe,
    PromptFile,
    Prompts,
    PromptSource,
    RuleReward,
    Sampling,
    Server,
)
from training.recipe.parts import (
    Data,
    FileSource,
    GeneratorSource,
    Lora,
    Optimisation,
    Source,
    StageRecipe,
)
from training.recipe.ppo import Kl, PpoOptimisation, PpoRecipe, Pretraining, ValueHead
from training.recipe.rm import RmRecipe
from training.recipe.sft import SftRecipe

__all__ = [
    "STAGES",
    "Architecture",
    "CptRecipe",
    "Data",
    "DpoRecipe",
    "FileSource",
    "GeneratorSource",
    "GrpoRecipe",
    "Kl",
    "Lora",
    "ModelReward",
    "OnlineRecipe",
    "Optimisation",
    "PpoOptimisation",
    "PpoRecipe",
    "Pretraining",
    "PromptFile",
    "PromptSource",
    "Prompts",
    "Recipe",
    "RmRecipe",
    "RuleReward",
    "Sampling",
    "Server",
    "SftRecipe",
    "Source",
    "StageRecipe",
    "SupervisedRecipe",
    "TokenizerPlan",
    "ValueHead",
    "load",
]
