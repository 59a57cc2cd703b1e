#!/usr/bin/env bash
# What is in the way of `make up`, before anything is made or started:  deploy/env/before-up.sh ACCEL CONFIG [PORT]
set -euo pipefail
trap "" INT  # make ends on Ctrl-C after these two seconds; Python would show a traceback

accel=$1 config=$2 port=${3:-}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/deploy/env/machine.sh"

if [[ -e $stamp ]]; then
    python=$venv/bin/python
else
    look_at_machine
fi
if [[ -n $python ]]; then
    mapfile -t serving < <(
        PYTHONPATH=$root "$python" -B -m pointsman.cli.before_env --config "$config" --port "$port"
    )
    problems+=("${serving[@]}")
fi
refuse "make up"
