#!/usr/bin/env bash
# Install GPTQModel, which the stage `quantize` works with, to .venv/quantize:  deploy/env/make-quantize.sh
#
# A folder of its own, as PEFT and Transformers import GPTQModel wherever they find it, and every training of
# an adapter would then begin with that. Its packages come as sources, one of them in C; they are built with
# the environment's setuptools, which takes seconds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/.venv
target=$venv/quantize
[[ -x $venv/bin/uv ]] || { echo "make env-quantize: there is no environment yet: make env" >&2; exit 1; }
source "$root/deploy/env/uv.sh"

rm -rf "$target.growing"
"${uv[@]}" --quiet --no-deps --no-build-isolation --target "$target.growing" \
    --requirement "$root/deploy/env/quantize.txt"
rm -rf "$target"
mv "$target.growing" "$target"
echo "make env: GPTQModel is in .venv/quantize"
