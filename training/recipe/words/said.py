"""What is said of words of several kinds."""

from __future__ import annotations

NONE = "there is none like it here: "
TEXT = f"{NONE}bases read text alone"
READ = f"{NONE}rows are read and tokenised once, before the first step"
TOKENIZER = f"{NONE}the base's tokenizer and its chat template say it"
PROCESSES = f"{NONE}several processes are accelerate's, see docs/training.md"
SERVED = f"{NONE}what is trained is served by vLLM, with `pointsman serve`"
ONE_LOSS = f"{NONE}the losses are those that `loss` takes"
CONFIG = "here a base is loaded by its own config.json"
