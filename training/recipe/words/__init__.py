"""What other programs call the keys and values of a recipe: who comes from there is told ours.

TRL, PEFT, LLaMA-Factory, axolotl, torchtune and unsloth; a word belongs to the module that knows what it is
about, whoever uses it.
"""

from training.recipe.words.tables import FAMILIES, KEYS, OTHERWISE, STAGES, TOPICS
from training.recipe.words.worded import Worded, has, named

__all__ = ["FAMILIES", "KEYS", "OTHERWISE", "STAGES", "TOPICS", "Worded", "has", "named"]
