"""LoRA adapters through PEFT: put on a base, continued, and saved as an artefact's two files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman import artefact
from training.errors import AdapterError, BaseError
from training.methods import targets
from training.models.base import rewrite_json
from training.recipe import Lora

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_PREFIX = "base_model.model."
LARGEST_RANK = 512  # that vLLM can be started for
REFERENCE = "ref"  # TRL's name for the adapter that training began with


def add(model: PreTrainedModel, plan: Lora, seed: int, **kind: Any) -> PeftModel:
    """A fresh adapter of this shape on ``model``; ``kind`` holds what else PEFT is told, as ``use_dora``.

    Raises:
        BaseError: the base has not all of the layers that it should be put on.
    """
    return _add(model, plan, seed, task_type="CAUSAL_LM", **kind)


def add_scoring(model: PreTrainedModel, plan: Lora, seed: int) -> PeftModel:
    """A fresh adapter of this shape on a scoring ``model``, whose head learns as a whole.

    Raises:
        BaseError: the base has not all of the layers that it should be put on.
    """
    return _add(model, plan, seed, task_type="SEQ_CLS", modules_to_save=["score"])


def _add(model: PreTrainedModel, plan: Lora, seed: int, **more: Any) -> PeftModel:
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(seed)
    config = {
        "r": plan.rank,
        "lora_alpha": plan.alpha,
        "lora_dropout": plan.dropout,
        "target_modules": list(plan.targets) if plan.targets else "all-linear",
        "use_rslora": plan.rslora,
        "rank_pattern": dict(plan.rank_pattern),
        "alpha_pattern": dict(plan.alpha_pattern),
    }
    targets.refuse(model, plan)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The following .*_pattern keys")  # refused below
            adapted = get_peft_model(model, LoraConfig(**config, **more))
    except ValueError as exc:
        raise BaseError(f"lora can't be put on this base: {str(exc).splitlines()[0]}") from exc
    targets.refuse_idle(adapted, plan)
    return adapted


def ranks(plan: Lora) -> dict[str, int]:
    """Dotted key of the recipe → rank of the adapter there."""
    others = {f"lora.rank_pattern.{name}": rank for name, rank in plan.rank_pattern.items()}
    return {"lora.rank": plan.rank} | others


def read_config(folder: Path) -> Any:
    """PEFT's configuration of the LoRA in ``folder``, whose matrices stand for themselves.

    Raises:
        AdapterError: it holds none, or one that belongs to a base which was changed as it began.
    """
    from peft import LoraConfig, PeftConfig

    path = folder / artefact.CONFIG
    try:
        found = PeftConfig.from_pretrained(str(folder))
    except KeyError as exc:  # which PEFT asks its table of kinds for
        raise AdapterError(
            f"init_adapter {path} can't be read: peft_type is {exc}, of which PEFT has none; copy it anew "
            "from where it came"
        ) from exc
    except (OSError, ValueError, TypeError, RecursionError) as exc:
        raise AdapterError(f"init_adapter {path} can't be read: {str(exc).splitlines()[0]}") from exc
    if not isinstance(found, LoraConfig):
        raise AdapterError(f"init_adapter {folder} is a {found.peft_type}, and only a LoRA is trained on")
    if not found.target_modules:  # PEFT would choose some itself
        raise AdapterError(f"init_adapter {path} names no target_modules")
    begun: Any = found.init_lora_weights
    if isinstance(begun, str) and begun.lower() not in artefact.PLAIN_INITS:
        raise AdapterError(
            f"init_adapter {path}: init_lora_weights is {begun!r}, which changed the base's own weights when "
            "training began, and the adapter belongs to that base; `pointsman convert --to lora` makes a "
            "plain LoRA of a run's result, PEFT's path_initial_model_for_weight_conversion of others"
        )
    found.init_lora_weights = True  # its weights are read; nothing need be asked of the base
    return found


def resume(model: PreTrainedModel, folder: Path, plan: Lora) -> PeftModel:
    """The adapter in ``folder`` on ``model``, to be trained on with the dropout of ``plan``.

    Raises:
        AdapterError: it is broken, or none of this base.
    """
    from peft import PeftModel

    config = read_config(folder)
    config.lora_dropout = plan.dropout
    try:
        return PeftModel.from_pretrained(model, str(folder), is_trainable=True, config=config)
    except (OSError, ValueError, RuntimeError) as exc:
        raise AdapterError(
            f"init_adapter {folder} can't be put on this base: {str(exc).splitlines()[0]}"
        ) from exc


def outline(model: PreTrainedModel, folder: Path) -> PeftModel:
    """A fresh adapter of the shape of the one in ``folder`` on ``model``, which needs no weights.

    Raises:
        AdapterError: it is broken, or none of this base.
    """
    from peft import get_peft_model

    config = read_config(folder)
    config.inference_mode = False
    try:
        return get_peft_model(model, config)
    except ValueError as exc:
        raise AdapterError(
            f"init_adapter {folder} can't be put on this base: {str(exc).splitlines()[0]}"
        ) from exc


def narrowed(model: Any) -> Any:
    """``model`` with its adapter cut to the directions that each layer has, as pissa's is from the start."""
    for layer in model.modules():
        if "default" in getattr(layer, "lora_A", {}):
            a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            rank = min(*a.shape, b.shape[0])
            a.data, b.data = a.data[:rank], b.data[:, :rank]
    return model


def shapes(model: PreTrainedModel, folder: Path) -> dict[str, tuple[int, ...]]:
    """Name → shape of the weights of an adapter on ``model`` by the configuration in ``folder``.

    Raises whatever PEFT raises of one that is broken, or for another base.
    """
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    config: Any = PeftConfig.from_pretrained(str(folder))
    decomposed = config.init_lora_weights == "pissa"
    config.init_lora_weights = True  # pissa's would ask for the base's weights
    state: dict[str, Any] = get_peft_model_state_dict(get_peft_model(model, config))
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return {name: _directions(name, found) for name in found} if decomposed else found


def _directions(name: str, found: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of one of pissa's two matrices: there are no more directions than the layer is wide."""
    layer, _, side = name.rpartition(".lora_")
    inner, outer = found[f"{layer}.lora_A.weight"][1], found[f"{layer}.lora_B.weight"][0]
    rank = min(found[name][0 if side.startswith("A") else 1], inner, outer)
    return (rank, inner) if side.startswith("A") else (outer, rank)


def settle(model: Any) -> None:
    """Merge the adapter, if ``model`` has one, into its base, and round all to bfloat16, in place.

    The sum is rounded, not the adapter's part of it: a base held in bfloat16 is float32 from here on.
    """
    import torch
    from peft import PeftModel

    if isinstance(model, PeftModel):
        model.float()
        model.merge_adapter()
    for parameter in model.parameters():
        parameter.data.copy_(
            parameter.data.to(torch.bfloat16)
        )  # in place, as cut weights are gathered thence


def unwrapped(model: Any) -> Any:
    """The base of a ``model`` that has an adapter, with what was merged into it; any other as it is."""
    from peft import PeftModel

    return model.unload() if isinstance(model, PeftModel) else model


@contextmanager
def reference(model: Any) -> Iterator[None]:
    """``model`` as it was when training began: with its reference adapter, or with none."""
    if REFERENCE not in model.peft_config:
        with model.disable_adapter():
            yield
        return
    model.set_adapter(REFERENCE)
    try:
        yield
    finally:
        model.set_adapter("default")


def save(model: Any, folder: Path, base: str) -> None:
    """Write the adapter's weights (bfloat16) and config to ``folder``; same adapter, same bytes."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    state = get_peft_model_state_dict(model)
    weights = {name: state[name].detach().to("cpu", torch.bfloat16).contiguous() for name in sorted(state)}
    save_file(weights, folder / artefact.WEIGHTS, metadata={"format": "pt"})
    (folder / artefact.WEIGHTS).chmod(0o644)
    _write_config(model.peft_config["default"], folder, base)


def matrices(model: Any) -> dict[str, tuple[Any, Any]]:
    """A copy of the adapter: module → A (r, in) and B (out, r) times its scaling, so that ΔW = B A."""
    found = {}
    for name, module in model.get_base_model().named_modules():
        if "default" in getattr(module, "lora_A", {}):
            a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
            found[name] = (a.detach().clone(), b.detach() * module.scaling["default"])
    return found


def merged(model: Any) -> Any:
    """The base with the adapter in its weights; ``model`` can't be used any more."""
    return model.merge_and_unload()


def merged_into(plain: PreTrainedModel, adapted: Any) -> PreTrainedModel:
    """``plain``, the base in full, with what the PEFT model ``adapted`` has learned on it in fewer bits.

    Beside the adapter that is what learned as a whole, such as a scoring head.
    """
    import torch

    with torch.no_grad():
        for name, (a, b) in matrices(adapted).items():
            weight = plain.get_parameter(f"{name}.weight")
            weight += (b.float() @ a.float()).to(weight.device)
    for name, module in adapted.get_base_model().named_modules():
        if "default" in getattr(module, "modules_to_save", {}):
            plain.get_submodule(name).load_state_dict(module.modules_to_save["default"].state_dict())
    return plain


def load(model: PreTrainedModel, folder: Path) -> PeftModel:
    """The adapter in ``folder``, of any of PEFT's kinds, on ``model``; not to be trained on."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(folder)).eval()


def read(folder: Path) -> dict[str, tuple[Any, Any]]:
    """The matrices in ``folder``, written by :func:`write`."""
    from safetensors.torch import load_file

    weights = load_file(folder / artefact.WEIGHTS)
    names = {name.removeprefix(_PREFIX).rpartition(".lora_")[0] for name in weights}
    return {
        name: (weights[f"{_PREFIX}{name}.lora_A.weight"], weights[f"{_PREFIX}{name}.lora_B.weight"])
        for name in sorted(names)
    }


def write(found: dict[str, tuple[Any, Any]], folder: Path, base: str) -> None:
    """Write the update ΔW = B A of each module as an adapter (float32); a lower rank is filled with zeros.

    A layer has no more directions than it is wide, so pissa's matrices are narrower there.
    """
    import torch
    from peft import LoraConfig
    from safetensors.torch import save_file

    rank = max(int(a.shape[0]) for a, _ in found.values())
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=sorted({name.rpartition(".")[2] for name in found}),
        task_type="CAUSAL_LM",
    )
    weights = {}
    for name, (a, b) in found.items():
        missing = rank - int(a.shape[0])
        for side, matrix, filled in (("A", a, (0, 0, 0, missing)), ("B", b, (0, missing))):
            whole = torch.nn.functional.pad(matrix.detach().to("cpu", torch.float32), filled)
            weights[f"{_PREFIX}{name}.lora_{side}.weight"] = whole.contiguous()
    save_file(weights, folder / artefact.WEIGHTS, metadata={"format": "pt"})
    (folder / artefact.WEIGHTS).chmod(0o644)
    _write_config(config, folder, base)


def _write_config(config: Any, folder: Path, base: str) -> None:
    config.save_pretrained(str(folder))
    # PEFT writes a set of layer names in any order and the path that this machine loaded the base from.
    rewrite_json(
        folder / artefact.CONFIG,
        {
            "target_modules": sorted(config.target_modules),
            "base_model_name_or_path": base,
            "inference_mode": True,
        },
    )
