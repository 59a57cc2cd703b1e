"""Conversion: the result of any method becomes a LoRA or a base for vLLM, at a cost that is measured."""

from training.convert.conversion import Options, convert
from training.convert.route import TARGETS

__all__ = ["TARGETS", "Options", "convert"]
