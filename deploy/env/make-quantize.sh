#!/usr/bin/env bash
# Install GPTQModel, which the stage `quantize` works with, to .venv/quantize:  deploy/env/make-quantize.sh
#
# A folder of its own, as PEFT and Transformers import GPTQModel wherever they find it, and every training of
# an adapter would then begin with that. Most of its packages come as sources, one of them in C; they are built
# with the environment's setuptools, in seconds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=$root/.venv
target=$venv/quantize
if [[ ! -x $venv/bin/uv ]]; then
    echo "make env-quantize: there is no environment yet: make env" >&2
    exit 1
fi
source "$root/deploy/env/uv.sh"

growing=$target.growing
rm -rf "$growing"
trap 'rm -rf "$growing"' EXIT
"${uv[@]}" --quiet --no-deps --no-build-isolation --target "$growing" \
    --requirement "$root/deploy/env/quantize.txt"
rm -rf "$target"
mv "$growing" "$target"
echo "make env: GPTQModel is in .venv/quantize"
