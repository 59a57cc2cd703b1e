#!/usr/bin/env bash
# Pointsman beside the plain vLLM that it speaks to, on a GPU: every row of docs/scheduling.md's table.
#
#   deploy/gpu/bench.sh OUT_DIR [--quick] [more of `python -m deploy.bench.beside --help`]
#
# A base of Llama 3.2's 3B shape and 69 adapters of rank 16 are drawn at random (8 GB under WORK), so nothing
# is downloaded; one vLLM is started and both endpoints are asked in turn. About 8 minutes on an H100, of which
# vLLM's start takes 2 to 3. OUT_DIR gets beside.md (the table), beside.json (all numbers) and the logs.
#   PYTHON=FILE  with the packages of `make env ACCEL=cuda` (default: .venv/bin/python)
#   WORK=DIR     on a fast disk (default: /tmp/pointsman-beside)
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -ge 1 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
shift
exec env HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false \
  "${PYTHON:-.venv/bin/python}" -m deploy.bench.beside --shape 3b --out "$out" \
  --work "${WORK:-/tmp/pointsman-beside}" "$@"
