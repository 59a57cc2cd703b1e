"""GPTQModel at work, in a process of its own: ``python -m training.quantize.gptq``, as ``process`` starts it.

The one module that imports GPTQModel. PEFT and Transformers change what they do where they can import it, and
it changes Transformers, so it is installed in a folder that only this process has on its path.

Standard input holds the plan as JSON: base, folder, bits, group_size, device, batch_rows and rows, lists of
token ids. Standard output gets one JSON object a line: ``{"layer": n}`` when a layer is done (from 1), and
at the end ``{"version": ..., "errors": [[layer, error], ...]}``, with the layer (from 0) of each module; the
error is null where it saw too few rows and was rounded to the nearest. All that GPTQModel says goes to
standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Quantise what standard input says."""
    plan = json.load(sys.stdin)
    says = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # GPTQModel writes to both
    workers = max(2, min(12, (len(os.sched_getaffinity(0)) + 1) // 2))  # with one it does not start
    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", str(workers))

    import gptqmodel

    model: Any = gptqmodel.GPTQModel.load(
        plan["base"],
        gptqmodel.QuantizeConfig(
            bits=plan["bits"],
            group_size=plan["group_size"],
            sym=True,  # vLLM takes nothing else
            desc_act=False,
            device=plan["device"],
            offload_to_disk=False,
            pack_impl="original",  # the others compile an extension first
        ),
    )

    def done(layer_idx: int, submodule_finalized: bool) -> None:
        if not submodule_finalized:  # it is called again when the layer is packed
            says.write(json.dumps({"layer": layer_idx + 1}) + "\n")

    model.layer_callback = done
    model.quantize(
        [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in plan["rows"]],
        batch_size=plan["batch_rows"],
        calibration_data_min_length=1,
    )
    model.save(plan["folder"])
    errors = [[int(entry["layer"]), _number(entry["loss"])] for entry in model.quant_log]
    says.write(json.dumps({"version": gptqmodel.__version__, "errors": errors}) + "\n")
    says.flush()


def _number(given: object) -> float | None:
    """An error as GPTQModel writes it: a number as text, or words."""
    try:
        return float(str(given))
    except ValueError:
        return None


if __name__ == "__main__":
    main()
