"""Recipes: everything that decides what a training run gives, as one strict YAML document."""

from training.recipe.cpt import Architecture, CptRecipe, Probe, Release, Replay, TokenizerPlan, Vocabulary
from training.recipe.dpo import DpoRecipe
from training.recipe.grpo import GrpoRecipe
from training.recipe.loading import STAGES, LearningRecipe, Recipe, SupervisedRecipe, load
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
    DataRecipe,
    FileSource,
    GeneratorSource,
    Lora,
    Optimisation,
    Source,
    StageRecipe,
)
from training.recipe.ppo import Kl, PpoOptimisation, PpoRecipe, Pretraining, ValueHead
from training.recipe.quantize import Calibration, QuantizeRecipe
from training.recipe.rm import RmRecipe
from training.recipe.router import IntentData, RouterRecipe, Tuning
from training.recipe.sft import SftRecipe

__all__ = [
    "STAGES",
    "Architecture",
    "Calibration",
    "CptRecipe",
    "Data",
    "DataRecipe",
    "DpoRecipe",
    "FileSource",
    "Freeze",
    "GeneratorSource",
    "GrpoRecipe",
    "IntentData",
    "Kl",
    "LearningRecipe",
    "Lora",
    "Method",
    "ModelReward",
    "OnlineRecipe",
    "Optimisation",
    "PTuning",
    "PTuningV2",
    "PpoOptimisation",
    "PpoRecipe",
    "Prefix",
    "Pretraining",
    "Probe",
    "PromptFile",
    "PromptSource",
    "PromptTuning",
    "Prompts",
    "Qlora",
    "QuantizeRecipe",
    "Recipe",
    "Release",
    "Replay",
    "RmRecipe",
    "RouterRecipe",
    "RuleReward",
    "Sampling",
    "Server",
    "SftLora",
    "SftRecipe",
    "Source",
    "StageRecipe",
    "SupervisedRecipe",
    "TokenizerPlan",
    "Tuning",
    "ValueHead",
    "Vocabulary",
    "load",
]
