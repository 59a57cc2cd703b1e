#!/usr/bin/env bash
# Write cpu.txt, cuda.txt and quantize.txt here from pyproject.toml; versions that still fit stay as they are.
#   deploy/env/make-locks.sh [--upgrade | --upgrade-package NAME]
# Resolved for Python 3.11; the same pins fit 3.12. The CPU lock needs a source of torch's CPU build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
uv=(.venv/bin/uv pip compile pyproject.toml --quiet --extra dev --python-version 3.11
    --no-header --annotation-style line "$@")
cpu=(--extra cpu --override deploy/env/overrides-cpu.txt --output-file deploy/env/cpu.txt)

"${uv[@]}" "${cpu[@]}" 2>/dev/null || "${uv[@]}" "${cpu[@]}" --torch-backend cpu
"${uv[@]}" --extra cuda --python-platform x86_64-manylinux_2_28 --output-file deploy/env/cuda.txt

# What GPTQModel needs beyond the others is installed apart, on either kind of machine: see make-quantize.sh.
all=$(mktemp)
trap 'rm -f "$all"' EXIT
cat deploy/env/cpu.txt deploy/env/quantize.txt >"$all"
quantize=(--extra cpu --extra quantize --constraint deploy/env/cpu.txt --override deploy/env/overrides-cpu.txt
    --output-file "$all")
"${uv[@]}" "${quantize[@]}" 2>/dev/null || "${uv[@]}" "${quantize[@]}" --torch-backend cpu
awk -F== 'NR == FNR { locked[$1]; next } !($1 in locked)' deploy/env/cpu.txt "$all" >deploy/env/quantize.txt
echo "make lock: cpu.txt, cuda.txt and quantize.txt in deploy/env are written; 'make env' installs them"
