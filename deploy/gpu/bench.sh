#!/usr/bin/env bash
# Pointsman beside the plain vLLM that it speaks to, on a GPU: every row of docs/speed.md's table.
#
#   deploy/gpu/bench.sh OUT_DIR [--quick] [more of `python -m deploy.bench.beside --help`]
#
# A base of Llama 3.2's 3B shape and 69 adapters of rank 16 are drawn at random (8 GB under WORK), so nothing
# is downloaded. Two vLLMs share the card and are asked in turn: a plain one, and one for the gateway with our
# LoRA kernels, adapters that are read beside its loop, and graphs by how many adapters run. Both read prompts
# 2,048 tokens at a time and have graphs for that many: else a step with a prompt of 250 tokens takes 70 ms,
# with an adapter 170. About 20 minutes on an H100, of which the start takes 2 to 3. OUT_DIR gets beside.md
# (the table), beside.json (all numbers) and the logs.
#   PYTHON=FILE   with the packages of `make env ACCEL=cuda` (default: .venv/bin/python)
#   WORK=DIR      on a fast disk (default: /tmp/pointsman-beside)
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -ge 1 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
shift
graphs="1 2 4 8 16 32 48 64 80 96 128 192 256 320 384 512 768 1024 2048"  # tokens in a step
plugins=pointsman_cuda_lora,pointsman_lora_ahead,pointsman_lora_files,pointsman_lora_slots,pointsman_lora_unload
exec env HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false \
  "${PYTHON:-.venv/bin/python}" -m deploy.bench.beside --shape 3b --out "$out" \
  --work "${WORK:-/tmp/pointsman-beside}" --warm \
  --engine "--max-num-seqs 256 --max-num-batched-tokens 2048 --cudagraph-capture-sizes $graphs
    --gpu-memory-utilization 0.4 --kv-cache-memory-bytes 10G" \
  --environment "VLLM_PLUGINS=none" \
  --ours-engine="--specialize-active-lora" \
  --ours-environment "VLLM_PLUGINS=$plugins" "$@"
