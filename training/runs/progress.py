"""What a run says while it trains: metrics.jsonl, and a bar on a terminal or plain lines in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from training.errors import LossNotFinite
from training.runs import processes, whole
from training.runs.bar import Bar
from training.runs.folder import RunFolder

NAMES = {
    "loss": "loss",
    "eval_loss": "eval_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "mean_token_accuracy": "token_accuracy",
    "eval_mean_token_accuracy": "eval_token_accuracy",
} | {
    prefix + name: prefix + ours  # of preferences, in training and on held-out rows
    for prefix in ("", "eval_")
    for name, ours in {
        "accuracy": "accuracy",
        "margin": "margin",
        "mean_reward": "mean_reward",
        "rewards/accuracies": "accuracy",
        "rewards/margins": "margin",
        "rewards/chosen": "chosen_reward",
        "rewards/rejected": "rejected_reward",
        "logps/chosen": "chosen_logp",
        "logps/rejected": "rejected_logp",
        "token_logps/chosen": "chosen_token_logp",
        "token_logps/rejected": "rejected_token_logp",
        "kl": "kl",
        "nll_loss": "sft_loss",
    }.items()
}

BY_TEXT = "eval_nats/"  # and the name of a held-out text: kept as it is


class RunProgress(TrainerCallback):  # type: ignore[misc]
    """Writes the metrics, shows where the run is, and stops it when the loss is no number."""

    def __init__(self, folder: RunFolder, tokens_per_epoch: int, report: Callable[[str], None]) -> None:
        self.folder, self.tokens_per_epoch = folder, tokens_per_epoch
        self._bar = Bar(report)
        self._last = (0.0, 0.0)  # time and epoch of the last log

    def start(self, steps: int, done: int) -> None:
        """Start the bar at the step ``done``, from which a resumed run goes on; it may be the last."""
        if self.folder.keeper:
            self._bar.start(steps, done)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note when it is."""
        self._last = (time.monotonic(), float(state.epoch or 0.0))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar; leave the last step's evaluation to the closing one, of the weights as served."""
        self._bar.move(state.global_step)
        if state.global_step >= state.max_steps:
            control.should_evaluate = False
        if control.should_save:
            control.should_log = True  # so no checkpoint keeps a loss that is none, or half a line of metrics

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Keep the numbers; a loss that is none stops the run."""
        line: dict[str, float] = {"step": state.global_step, "epoch": round(float(state.epoch or 0.0), 4)}
        line |= {NAMES[name]: float(value) for name, value in (logs or {}).items() if name in NAMES}
        line |= {name: value for name, value in (logs or {}).items() if name.startswith(BY_TEXT)}
        loss = line.get("loss", line.get("eval_loss"))
        if loss is None:
            return  # the trainer's closing summary
        for name, value in (("loss", loss), ("gradient's length", line.get("grad_norm", 0.0))):
            if not math.isfinite(value):
                raise LossNotFinite(
                    f"the {name} is {value} at step {state.global_step}; a lower learning_rate (now "
                    f"{args.learning_rate:g}), a longer warmup, or precision: fp32 usually helps. Broken "
                    "rows can be looked at with `pointsman data preview`"
                )
        if "loss" in line:
            now, epoch = time.monotonic(), float(state.epoch or 0.0)
            seconds = max(now - self._last[0], 1e-9)
            line["tokens_per_second"] = round((epoch - self._last[1]) * self.tokens_per_epoch / seconds, 1)
            self._last = (now, epoch)
        self.folder.add_metrics(line)
        self._show(line)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint as whole: the trainer calls this after its last file."""
        processes.wait()  # each may have a part of its own
        if self.folder.keeper:
            whole.mark(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def close(self) -> None:
        """End the bar, however the run ended."""
        self._bar.close()

    def _show(self, line: dict[str, float]) -> None:
        key = "loss" if "loss" in line else "eval_loss"
        text = f"{key.replace('_', ' ')} {line[key]:.4f}"
        if "tokens_per_second" in line:
            text += f", {line['tokens_per_second']:,.0f} tokens/s"
        self._bar.say(int(line["step"]), text, always=key == "eval_loss")
