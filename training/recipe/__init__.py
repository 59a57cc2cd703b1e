"""Recipes: everything that decides what a training run gives, as one strict YAML document."""

from training.recipe.cpt import Architecture, CptRecipe, TokenizerPlan
from training.recipe.loading import STAGES, Recipe, load
from training.recipe.methods import (
    Freeze,
    Method,
    Prefix,
    PromptTuning,
    PTuning,
    PTuningV2,
    Qlora,
    SftLora,
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
from training.recipe.sft import SftRecipe

__all__ = [
    "STAGES",
    "Architecture",
    "CptRecipe",
    "Data",
    "FileSource",
    "Freeze",
    "GeneratorSource",
    "Lora",
    "Method",
    "Optimisation",
    "PTuning",
    "PTuningV2",
    "Prefix",
    "PromptTuning",
    "Qlora",
    "Recipe",
    "SftLora",
    "SftRecipe",
    "Source",
    "StageRecipe",
    "TokenizerPlan",
    "load",
]
