"""Recipes: everything that decides what a training run gives, as one strict YAML document."""

from training.recipe.cpt import Architecture, CptRecipe, TokenizerPlan
from training.recipe.dpo import DpoRecipe
from training.recipe.loading import STAGES, Recipe, load
from training.recipe.parts import (
    Data,
    FileSource,
    GeneratorSource,
    Lora,
    Optimisation,
    Source,
    StageRecipe,
)
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
    "Lora",
    "Optimisation",
    "Recipe",
    "RmRecipe",
    "SftRecipe",
    "Source",
    "StageRecipe",
    "TokenizerPlan",
    "load",
]
