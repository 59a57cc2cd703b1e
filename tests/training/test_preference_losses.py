"""Every preference loss against one written in numpy from its paper, and that one against numbers by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.conftest import Recipe
from tests.training.preferences import PAIRS
from training import recipe as recipes
from training.data.tokens.token_pairs import PairRows
from training.data.tokens.token_rows import TokenRows
from training.dpo import learning as preference
from training.dpo import losses
from training.dpo import stage as dpo
from training.dpo import trainer as preference_trainer
from training.methods import lora
from training.models.base import load_tokenizer
from training.recipe import DpoRecipe, RmRecipe
from training.rm import learning as reward
from training.rm import stage as rm
from training.runs.folder import RunFolder
from training.trainers.supervised import Given

Floats = NDArray[np.float64]


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def dpo_loss(delta: Floats, beta: float) -> float:
    """Rafailov et al. (2023) eq. 7; ``delta``: log-ratio of the chosen minus that of the rejected, (B,)."""
    return float(-np.log(sigmoid(beta * delta)).mean())


def conservative_loss(delta: Floats, beta: float, flipped: float) -> float:
    """Mitchell (2023, A note on DPO with noisy preferences) eq. 3, as in Rafailov's own implementation."""
    return (1 - flipped) * dpo_loss(delta, beta) + flipped * dpo_loss(-delta, beta)


def ipo_loss(delta: Floats, beta: float) -> float:
    """Azar et al. (2023) eq. 17, τ being beta; ``delta`` of log-ratios per token."""
    return float(((delta - 1 / (2 * beta)) ** 2).mean())


def hinge_loss(delta: Floats, beta: float) -> float:
    """Liu et al. (2024, RSO): SLiC's hinge on DPO's rewards, with a margin of 1."""
    return float(np.maximum(0, 1 - beta * delta).mean())


def robust_loss(delta: Floats, beta: float, flipped: float) -> float:
    """Chowdhury et al. (2024): unbiased where a share ``flipped`` of the pairs is the wrong way round."""
    right, wrong = np.log(sigmoid(beta * delta)), np.log(sigmoid(-beta * delta))
    return float((-((1 - flipped) * right - flipped * wrong) / (1 - 2 * flipped)).mean())


def simpo_loss(delta: Floats, beta: float, gamma: float, smoothing: float = 0.0) -> float:
    """Meng et al. (2024) eq. 6; ``delta`` of log-probabilities per token."""
    x = beta * delta - gamma
    return float(-((1 - smoothing) * np.log(sigmoid(x)) + smoothing * np.log(sigmoid(-x))).mean())


def odds_loss(chosen: Floats, rejected: Floats, weight: float) -> float:
    """Hong et al. (2024) eqs. 4 and 7 from the probabilities themselves."""
    odds = [np.exp(logp) / (1 - np.exp(logp)) for logp in (chosen, rejected)]
    return float((-weight * np.log(sigmoid(np.log(odds[0] / odds[1])))).mean())


def kto_loss(
    ratios: Floats, good: NDArray[np.bool_], mismatched: Floats, beta: float, weights: Floats
) -> float:
    """Ethayarajh et al. (2024): z0 is the mean log-ratio of mismatched answers, not under 0."""
    z0 = max(0.0, float(mismatched.mean()))
    value = np.where(good, sigmoid(beta * (ratios - z0)), sigmoid(beta * (z0 - ratios)))
    return float((weights * (1 - value)).mean())


def test_the_references_give_what_is_worked_out_by_hand() -> None:
    """Where beta times delta is ln 3, sigmoid is 3/4 and, the other way round, 1/4.

    DPO: -ln(3/4) = 0.287682. Hinge: 1 - ln 3 = -0.0986, so 0; at delta 0 it is 1.
    IPO with beta 0.5: (delta - 1)² = 0.25 at delta 1.5.
    cDPO with 0.1 flipped: -0.9 ln(3/4) - 0.1 ln(1/4) = 0.258914 + 0.138629 = 0.397543.
    Robust with 0.1 flipped: (-0.9 ln(3/4) + 0.1 ln(1/4)) / 0.8 = (0.258914 - 0.138629) / 0.8 = 0.150355.
    SimPO with beta 2, gamma 1 and delta (1 + ln 3) / 2: as DPO's. ORPO: odds 1 (p = 1/2) and 1/3 (p = 1/4),
    their ratio 3, so -ln(3/4) again. KTO: z0 = 0 as the mean is under 0; good: 1 - 3/4; bad: 1 - 1/4.
    """
    three = np.array([math.log(3)])
    assert dpo_loss(three * 10, 0.1) == pytest.approx(0.287682, abs=1e-6)
    assert hinge_loss(three, 1.0) == 0.0
    assert hinge_loss(three * 0, 1.0) == 1.0
    assert ipo_loss(np.array([1.5]), 0.5) == pytest.approx(0.25)
    assert robust_loss(three, 1.0, 0.1) == pytest.approx(0.150355, abs=1e-6)
    assert conservative_loss(three, 1.0, 0.1) == pytest.approx(0.397543, abs=1e-6)
    assert simpo_loss((1 + three) / 2, 2.0, 1.0) == pytest.approx(0.287682, abs=1e-6)
    assert odds_loss(np.log([0.5]), np.log([0.25]), 1.0) == pytest.approx(0.287682, abs=1e-6)
    both = np.concatenate([three, three])
    found = kto_loss(both, np.array([True, False]), np.array([-9.0]), 1.0, np.array([1.0, 2.0]))
    assert found == pytest.approx((0.25 + 2 * 0.75) / 2)


def test_the_losses_that_make_up_cdpo_give_what_is_worked_out_by_hand() -> None:
    """With 0.1 flipped: 1.8 of sigmoid's 0.287682 less 0.8 of robust's 0.150355 is 0.397543, as above."""
    weights = preference_trainer.conservative(0.1)
    assert weights == pytest.approx({"sigmoid": 1.8, "robust": -0.8})
    assert weights["sigmoid"] * 0.287682 + weights["robust"] * 0.150355 == pytest.approx(0.397543, abs=2e-6)


def test_the_odds_ratio_is_exact_at_both_ends() -> None:
    """p = 1/2 against 1/4, as above; and log-odds where float32's 1 - p or p is 0: ln p - ln(1 - p)."""
    half, quarter = torch.tensor([0.5]).log(), torch.tensor([0.25]).log()
    assert float(losses.odds_ratio(half, quarter, 0.5)) == pytest.approx(0.287682 / 2, abs=1e-6)
    sure, hopeless = torch.tensor([-1e-9]), torch.tensor([-200.0])
    assert float(losses._log_odds(sure)) == pytest.approx(-math.log(1e-9), abs=1e-3)
    assert float(losses._log_odds(hopeless)) == pytest.approx(-200.0)


class Policy:
    """A trainer whose adapter already changes something, and the log-probabilities of its rows."""

    def __init__(self, path: Path, base: Path, folder: Path) -> None:
        loaded = recipes.load(path)
        assert isinstance(loaded, DpoRecipe)
        self.recipe = loaded
        self.prepared = preference.prepare(loaded, base, lambda _: None)
        tokenizer = load_tokenizer(str(base))
        self.model: Any = dpo.model(loaded, tokenizer)
        given = Given(self.model, tokenizer, self.prepared, RunFolder(folder), [], lambda _: None)
        self.trainer = preference.trainer(loaded, given)
        torch.manual_seed(0)
        for name, parameter in self.model.named_parameters():
            if "lora_B" in name:
                parameter.data = torch.randn_like(parameter) * 0.3

    def loss(self, rows: int) -> float:
        """What the trainer computes for the first ``rows`` training rows."""
        batch = self.trainer.data_collator([self.trainer.train_dataset[i] for i in range(rows)])
        self.model.train()
        return float(self.trainer.compute_loss(self.model, batch).detach())

    def logps(self, ids: list[int], asked: int) -> Floats:
        """Log-probability of each token after the first ``asked``, by the adapted model, in float64."""
        with torch.no_grad():
            logits = self.model(input_ids=torch.tensor([ids])).logits[0].double().numpy()
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return np.array([np.log(probabilities[i - 1, ids[i]]) for i in range(asked, len(ids))])

    def ratio(self, ids: list[int], asked: int) -> float:
        """log π(y|x) - log π_ref(y|x)."""
        with lora.reference(self.model):
            before = self.logps(ids, asked).sum()
        return float(self.logps(ids, asked).sum() - before)


def row_of(rows: TokenRows, i: int) -> tuple[list[int], int]:
    start, length = int(rows.starts[i]), int(rows.lengths[i])
    return rows.ids[start : start + length].tolist(), int((~rows.loss_mask[start : start + length]).sum())


ROWS = 5


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("sigmoid", {"beta": 0.3}),
        ("sigmoid", {"sft_weight": 0.7}),
        ("sigmoid", {"label_smoothing": 0.1, "beta": 0.3, "sft_weight": 0.7}),
        ("ipo", {"beta": 0.2}),
        ("hinge", {"beta": 0.4}),
        ("robust", {"label_smoothing": 0.2}),
        ("simpo", {"gamma": 0.4}),
        ("simpo", {"label_smoothing": 0.1, "sft_weight": 0.5}),
        ("orpo", {"beta": 0.6}),
    ],
)
def test_a_loss_on_pairs_is_its_papers(
    loss: str, options: dict[str, float], recipe: Recipe, base: Path, tmp_path: Path
) -> None:
    policy = Policy(recipe(PAIRS, form="pairs", stage="dpo", loss=loss, **options), base, tmp_path)
    rows = policy.prepared.train
    assert isinstance(rows, PairRows)
    chosen, rejected = ([row_of(part, i) for i in range(ROWS)] for part in (rows.chosen, rows.rejected))
    ratios = [np.array([policy.ratio(*row) for row in part]) for part in (chosen, rejected)]
    logps = [[policy.logps(*row) for row in part] for part in (chosen, rejected)]
    means = [np.array([row.mean() for row in part]) for part in logps]
    tokens = [np.array([len(row) for row in part]) for part in logps]
    beta, smoothing = policy.recipe.temperature, options.get("label_smoothing", 0.0)
    delta = ratios[0] - ratios[1]
    assert np.abs(delta).min() > 0.01  # the adapter does change something
    expected = {
        "sigmoid": lambda: conservative_loss(delta, beta, smoothing),
        "ipo": lambda: ipo_loss(ratios[0] / tokens[0] - ratios[1] / tokens[1], beta),
        "hinge": lambda: hinge_loss(delta, beta),
        "robust": lambda: robust_loss(delta, beta, smoothing),
        "simpo": lambda: simpo_loss(means[0] - means[1], beta, options.get("gamma", 1.0), smoothing),
        "orpo": lambda: odds_loss(means[0], means[1], beta),
    }[loss]()
    own = -np.concatenate(logps[0]).mean()  # the chosen answers' own loss
    expected += own * (1.0 if loss == "orpo" else options.get("sft_weight", 0.0))
    assert policy.loss(ROWS) == pytest.approx(expected, rel=2e-5)


def test_the_loss_on_labels_is_its_papers(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    """Each prompt is paired with the answer of the row before it for z0."""
    path = recipe(
        PAIRS, form="pairs", stage="dpo", loss="kto", beta=0.3, desirable_weight=1.3, undesirable_weight=0.8
    )
    policy = Policy(path, base, tmp_path)
    rows, good = policy.prepared.train.rows, policy.prepared.train.good[:ROWS]  # type: ignore[union-attr]
    assert 0 < good.sum() < ROWS
    said = [row_of(rows, i) for i in range(ROWS)]
    ratios = np.array([policy.ratio(*row) for row in said])
    mismatched = [
        (ids[:asked] + before[begun:], asked)
        for (ids, asked), (before, begun) in zip(said, [said[-1], *said[:-1]], strict=True)
    ]
    others = np.array([policy.ratio(*row) for row in mismatched])
    expected = kto_loss(ratios, good, others, 0.3, np.where(good, 1.3, 0.8))
    assert policy.loss(ROWS) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("margins", [True, False])
def test_a_reward_models_loss_is_bradley_and_terrys(
    margins: bool, recipe: Recipe, base: Path, tmp_path: Path
) -> None:
    """Ouyang et al. (2022) eq. 1, Touvron et al. (2023) eq. 2, and the weight on the scores' mean square."""
    rows = [{**row, "margin": 0.1 * i} for i, row in enumerate(PAIRS)]
    loaded = recipes.load(recipe(rows, form="pairs", stage="rm", margins=margins, centre=0.05))
    assert isinstance(loaded, RmRecipe)
    prepared = reward.prepare(loaded, base, lambda _: None)
    tokenizer = load_tokenizer(str(base))
    model: Any = rm.model(loaded, tokenizer)
    torch.nn.init.normal_(model.base_model.model.score.modules_to_save["default"].weight)
    given = Given(model, tokenizer, prepared, RunFolder(tmp_path), [], lambda _: None)
    trainer = reward.trainer(loaded, given)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(ROWS)])
    model.train()
    found = float(trainer.compute_loss(model, batch).detach())

    def score(part: TokenRows, i: int) -> float:
        with torch.no_grad():
            return float(model(input_ids=torch.tensor([row_of(part, i)[0]])).logits)

    chosen, rejected = (
        np.array([score(part, i) for i in range(ROWS)])
        for part in (prepared.train.chosen, prepared.train.rejected)
    )
    margin = prepared.train.margins[:ROWS] if margins else 0.0
    expected = -np.log(sigmoid(chosen - rejected - margin)).mean() + 0.05 * ((chosen + rejected) ** 2).mean()
    assert found == pytest.approx(expected, rel=1e-5)
    assert np.abs(chosen - rejected).min() > 1e-3


def test_calibration_and_length_are_measured_as_by_hand() -> None:
    """Margins of ±ln 3 are held for 3/4 sure. Right in three of four: no error; in all: 1/4; in none: 3/4."""
    three = math.log(3)
    assert reward.calibration_error(np.array([three, three, three, -three])) == pytest.approx(0.0)
    assert reward.calibration_error(np.array([three] * 4)) == pytest.approx(0.25)
    assert reward.calibration_error(np.array([-three] * 4)) == pytest.approx(0.75)
    assert reward.calibration_error(np.array([three] * 2 + [100.0] * 2)) == pytest.approx(0.125)
    assert reward.correlation(np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 9.0])) == pytest.approx(1.0)
    assert reward.correlation(np.array([1.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(0.0)
    assert reward.correlation(np.array([1.0, 1.0]), np.array([1.0, 2.0])) is None


def test_a_measure_that_is_not_defined_is_left_out() -> None:
    def answers(*lengths: int) -> TokenRows:
        return TokenRows(
            np.zeros(sum(lengths), np.int32), np.ones(sum(lengths), np.bool_), np.array(lengths, np.int64)
        )

    none = np.full(2, np.nan)
    chosen, rejected = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = reward.measure(chosen, rejected, PairRows(answers(2, 3), answers(4, 3), none))
    assert found["eval_accuracy"] == 0.5
    assert found["eval_accuracy_chosen_shorter"] == 1.0  # the first alone is shorter, and right
    assert found["eval_length_correlation"] == pytest.approx(-1 / math.sqrt(2))
    found = reward.measure(chosen, rejected, PairRows(answers(3, 3), answers(3, 3), none))
    assert "eval_accuracy_chosen_shorter" not in found
    assert "eval_length_correlation" not in found


def test_simpos_margin_is_1_where_none_is_given(recipe: Recipe) -> None:
    loaded = recipes.load(recipe(PAIRS, form="pairs", stage="dpo", loss="simpo"))
    assert isinstance(loaded, DpoRecipe)
    _, arguments = preference_trainer._kind(loaded, {})
    assert (arguments["simpo_gamma"], arguments["beta"]) == (1.0, 2.0)
