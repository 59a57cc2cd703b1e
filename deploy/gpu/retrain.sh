#!/usr/bin/env bash
# The demo's base and its five adapters, trained anew from the text that the project generates, and put in place
# of the carried ones.
#
#   deploy/gpu/retrain.sh [more of `pointsman train --help`, for all six]
#
# The base goes first, on one GPU, as an adapter names the base that it was trained on; then the adapters at
# once, a GPU each while there are enough. Logs are in runs/NAME.log. Killed and called again, every run goes on
# from its last checkpoint, or is done already. `git checkout deploy/demo` brings the carried ones back.
#   PYTHON=FILE   with the packages of `make env ACCEL=cuda` (default: .venv/bin/python)
#   GPUS=N        of the machine's (default: all)
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}
gpus=${GPUS:-$({ nvidia-smi --list-gpus 2>/dev/null || true; } | wc -l)}
[ "$gpus" -ge 1 ] || { echo "retrain.sh: nvidia-smi lists no GPU, and on a CPU this takes days" >&2; exit 2; }
mkdir -p runs

train() {  # GPU NAME FOLDER: the run of a recipe, and its result to FOLDER
  local gpu=$1 name=$2 folder=$3
  shift 3
  echo "$name: trains on GPU $gpu; its log is runs/$name.log"
  CUDA_VISIBLE_DEVICES=$gpu "$python" -m pointsman train "deploy/demo/recipes/$name.yaml" "$@" \
    > "runs/$name.log" 2>&1 || { tail -n 5 "runs/$name.log" >&2; echo "$name: failed" >&2; return 1; }
  rm -rf "$folder"
  cp -r "runs/$name/artefact" "$folder"
  cp "runs/$name/metrics.jsonl" "runs/$name/curves.png" "deploy/demo/metrics/$name/"
  echo "$name: $(tail -n 1 "runs/$name.log")"
}

train 0 base deploy/demo/base "$@"
number=0 runs=()
for name in extract support tools math chat; do  # the longest first
  train $((number % gpus)) "$name" "deploy/demo/adapters/$name" "$@" &
  runs+=($!) number=$((number + 1))
done
failed=0
for run in "${runs[@]}"; do wait "$run" || failed=1; done
exit $failed
