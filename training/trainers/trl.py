"""TRL's trainers of sft, rm and dpo as they are used here; beside grpo's, the one module that imports TRL.

Where they depart from TRL's: the rows come as tokens, so nothing is tokenised and what is previewed is what
is trained; their order depends on seed and epoch alone, so a resumed run sees what the first would have
seen; held-out metrics are means over trained tokens in sft, else over rows, and not over batches (but for
kto's loss, whose KL is estimated on a batch), and each of several processes takes them of all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler
from trl import (
    DPOConfig,
    DPOTrainer,
    KTOConfig,
    KTOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)
from trl.data_utils import pack_dataset
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from training.data.tokens import batches
from training.data.tokens.batches import LengthSampler
from training.data.tokens.token_rows import TokenRows
from training.dpo import losses
from training.methods import virtual_tokens
from training.runs import processes
from training.trainers import dealing, loop


def packed(rows: TokenRows, block: int) -> Any:
    """``rows`` laid into blocks of at most ``block`` tokens, longer ones cut; ``seq_lengths`` parts them."""
    return pack_dataset(batches.dataset(rows.cut(block)), block, "bfd")


class _Ours:
    """A trainer that takes its rows in our order, and evaluates alike on any number of processes.

    Put it before TRL's class.
    """

    args: Any
    accelerator: Any
    state: Any
    row_lengths: NDArray[np.int64]  # tokens of each training row
    kept_under = "_metrics"  # where TRL keeps what it has measured of each batch
    _weight = 1.0  # of a batch's loss: see get_batch_samples

    def create_model_card(self, **_: Any) -> None:
        """None is written: the manifest says it all."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return LengthSampler(self.row_lengths, self.args.train_batch_size, self.args.seed)

    def get_train_dataloader(self) -> Any:
        loader: Any = super().get_train_dataloader()  # type: ignore[misc]
        if processes.count() == 1:
            return loader
        order = LengthSampler(self.row_lengths, self.args.train_batch_size, self.args.seed)
        return dealing.deal(loader, order, self.args.process_index, self.args.world_size)

    def get_batch_samples(self, *args: Any) -> Any:
        """A step's batches, and the tokens that its loss is a mean over, if it is one over tokens.

        Else it is one over batches, and taken over the batches of all processes, idle ones too; the weight
        makes it one over those that count.
        """
        batches, tokens = super().get_batch_samples(*args)  # type: ignore[misc]
        if processes.count() > 1 and tokens is None:
            counting = sum(processes.gathered(sum(not batch[dealing.IDLE] for batch in batches)))
            self._weight = len(batches) * processes.count() / counting
        return batches, tokens

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if dealing.IDLE not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        idle, kept = inputs.pop(dealing.IDLE), getattr(self, self.kept_under)["train"]
        before = {name: len(values) for name, values in kept.items()}
        with processes.apart(self.accelerator):
            found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        if idle:
            for name, values in kept.items():
                del values[before.get(name, 0) :]
        weight = 0.0 if idle else self._weight
        return (found[0] * weight, found[1]) if isinstance(found, tuple) else found * weight

    def log(self, logs: dict[str, float], *args: Any) -> None:
        """What was measured in training is that of all processes, and so is the epoch."""
        if processes.count() > 1 and "loss" in logs:
            kept = getattr(self, self.kept_under)["train"]
            of_all = processes.gathered({name: list(values) for name, values in kept.items()})
            for name in {name for one in of_all for name in one}:
                kept[name] = [value for one in of_all for value in one.get(name, ())]
            self.state.epoch = loop.epoch(self, self.state.global_step)
        super().log(logs, *args)  # type: ignore[misc]

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        dealt: Any = super().get_eval_dataloader(eval_dataset)  # type: ignore[misc]
        return processes.undealt(dealt, self.args.eval_batch_size)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        with processes.apart(self.accelerator):
            found: dict[str, float] = super().evaluate(*args, **kwargs)  # type: ignore[misc]
        return found


class _RowMeans:
    """A trainer whose held-out metrics are means over rows; TRL's are over batches, the last one shorter."""

    answers = 1  # sequences of a batch that make up a row
    _metrics: Any

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        before = {name: len(values) for name, values in self._metrics["eval"].items()}
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        if not model.training:
            again = len(inputs["input_ids"]) // self.answers - 1
            for name, values in self._metrics["eval"].items():
                if len(values) > before.get(name, 0):
                    values.extend(values[-1:] * again)
        return found


class _TokenMeans:
    """A trainer whose held-out metrics are means over the trained tokens, however they are cut into batches.

    TRL's are means over batches, and so depend on how many rows a batch has.
    """

    _metrics: Any
    _tokens: int = 0  # trained ones, of the evaluation so far
    _nats: float = 0.0  # that they cost together
    _right: float = 0.0  # those of them that the model would choose

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        self._tokens, self._nats, self._right = 0, 0.0, 0.0
        found = super().evaluation_loop(*args, **kwargs)  # type: ignore[misc]
        found.metrics["eval_loss"] = self._nats / self._tokens
        self._metrics["eval"]["mean_token_accuracy"] = [self._right / self._tokens]
        return found

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        if not model.training:
            tokens = int((inputs["labels"] != batches.IGNORED).sum())
            self._tokens += tokens
            self._nats += float(found[0] if return_outputs else found) * tokens
            self._right += self._metrics["eval"]["mean_token_accuracy"][-1] * tokens
        return found


class Likelihood(_Ours, _TokenMeans, SFTTrainer):  # type: ignore[misc]
    """SFTTrainer with LoRA+, and checkpoints of virtual tokens."""

    Config: ClassVar = SFTConfig
    lora_plus: float  # learning rate of an adapter's B over A's

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.lora_plus != 1.0:
            quicken(optimizer, self.model, self.lora_plus)
        return optimizer

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        virtual_tokens.save_checkpoint(self.model, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not virtual_tokens.load_checkpoint(model or self.model, Path(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)


def quicken(optimizer: torch.optim.Optimizer, model: torch.nn.Module, times: float) -> None:
    """Let every matrix B of an adapter learn ``times`` as fast as the rest (LoRA+)."""
    quick = {id(weight) for name, weight in model.named_parameters() if ".lora_B." in name}
    for group in list(optimizer.param_groups):
        faster = [weight for weight in group["params"] if id(weight) in quick]
        if faster:
            group["params"] = [weight for weight in group["params"] if id(weight) not in quick]
            optimizer.add_param_group({**group, "params": faster, "lr": group["lr"] * times})


class Reward(_Ours, _RowMeans, RewardTrainer):  # type: ignore[misc]
    """RewardTrainer that remembers what it scored."""

    Config: ClassVar = RewardConfig
    answers = 2
    scores: list[NDArray[np.float64]]  # of the last evaluation, a batch each: (2, B), chosen and rejected

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        self.scores = []
        found: dict[str, float] = super().evaluate(*args, **kwargs)
        return found

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if not model.training:
            self.scores.append(outputs.logits.detach().float().cpu().double().numpy().reshape(2, -1))
        return (loss, outputs) if return_outputs else loss


class _Tokenised(_Ours):
    """A trainer whose rows need no preparation and whose checkpoints hold one adapter."""

    model: Any

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        # The library loads the adapters in the checkpoint's subfolders and, where there is one (the
        # reference), leaves out the trained adapter beside them: training would begin anew.
        self.model.load_adapter(resume_from_checkpoint, "default", is_trainable=True)


class Dpo(_Tokenised, _RowMeans, DPOTrainer):  # type: ignore[misc]
    """DPOTrainer, of all losses on pairs with a reference."""

    Config: ClassVar = DPOConfig
    answers = 2


class Kto(_Tokenised, _RowMeans, KTOTrainer):  # type: ignore[misc]
    """KTOTrainer; it needs the collator below."""

    Config: ClassVar = KTOConfig


class UnpairedCollator(DataCollatorForUnpairedPreference):  # type: ignore[misc]
    """Pairs each prompt with the answer of the row before it in the batch, which kto's KL is estimated on."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        turned = [
            {**example, "KL_completion_ids": before["completion_ids"]}
            for example, before in zip(examples, [examples[-1], *examples[:-1]], strict=True)
        ]
        batch: dict[str, Any] = super().torch_call(turned)
        return batch


class ReferenceFree(_Tokenised, CPOTrainer):  # type: ignore[misc]
    """SimPO, and ORPO where ``odds_weight`` is given. Its log-probabilities are means over tokens."""

    Config: ClassVar = CPOConfig
    kept_under = "_stored_metrics"
    odds_weight: float | None = None
    _rows = 1  # pairs of the batch

    def tokenize_row(self, feature: Any, model: Any = None) -> Any:
        return feature

    def concatenated_forward(self, model: Any, batch: Any) -> Any:
        """TRL's, but that held out its loss of the chosen is a mean over rows: no batch decides it."""
        found = super().concatenated_forward(model, batch)
        return found if model.training else (*found[:4], -found[0].mean(), *found[5:])

    def cpo_loss(
        self, policy_chosen_logps: torch.Tensor, policy_rejected_logps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = super().cpo_loss(
            policy_chosen_logps, policy_rejected_logps
        )
        if self.odds_weight is None:
            return found
        return losses.odds_ratio(policy_chosen_logps, policy_rejected_logps, self.odds_weight), *found[1:]

    def get_batch_loss_metrics(self, model: Any, batch: Any, train_eval: str = "train") -> Any:
        self._rows = len(batch["chosen_input_ids"]) if train_eval == "eval" else 1
        return super().get_batch_loss_metrics(model, batch, train_eval)

    def store_metrics(self, metrics: dict[str, float], train_eval: str = "train") -> None:
        for key, value in metrics.items():
            if key.endswith("nll_loss") and not self.cpo_alpha:
                continue  # it was not computed
            name = key.replace("logps/", "token_logps/")
            self._stored_metrics[train_eval][name] += [value] * self._rows
