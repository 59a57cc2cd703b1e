#!/usr/bin/env bash
# Make .venv from the lock of one kind of machine:  deploy/env/make-env.sh cpu|cuda
#
# `make env` calls this only when the lock or pyproject.toml is newer than the environment. Packages come
# from whatever index pip is configured with; the CPU build of torch, which the main index does not carry,
# from there too if it has one, else from PyTorch's own CPU index.
set -euo pipefail

UV_VERSION=0.13.9

fail() {
    echo "make env: $*" >&2
    exit 1
}
say() { echo "make env: $*"; }
byte_code() { find "$venv/lib" -name '*.pyc' 2>/dev/null | wc -l || true; } # files come and go under find
tell_byte_code() { # every few seconds, as long as there is more of it
    local made before
    made=$(byte_code)
    while before=$made; do
        read -rt 4 <> <(:) || made=$(byte_code)
        ((made == before)) || say "byte code of $made files so far"
    done
}

accel=${1:-cpu}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lock=$root/deploy/env/$accel.txt
source "$root/deploy/env/machine.sh"
look_at_machine
refuse "make env"

# The two builds of vLLM share one module name, so an environment is for one kind of machine only.
for other in "$venv"/.made-for-*; do
    if [[ -e $other && $other != "$stamp" ]]; then
        say "removing the environment ${other##*/.}"
        rm -rf "$venv"
    fi
done
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "a virtual environment in .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
if [[ $("$venv/bin/uv" --version 2>/dev/null) != "uv $UV_VERSION"* ]]; then
    say "uv $UV_VERSION"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
        fail "pip could not install uv: see its message above (is the package index reachable?)"
fi

source "$root/deploy/env/uv.sh"

source=()
if [[ $accel == cpu ]]; then
    torch=$(grep -oE '^torch==[^ ]+' "$lock")
    if ! "${uv[@]}" --dry-run --quiet --no-deps "$torch" 2>/dev/null; then
        source=(--torch-backend cpu)
    fi
fi
say "$(grep -cE '^[a-z0-9]' "$lock") packages of deploy/env/$accel.txt (the first time: some minutes, ${needed} GiB)"
# Byte code is made here once: vLLM imports so much that a start without it takes half a minute longer. uv says
# nothing meanwhile, half a minute to two.
tell_byte_code &
trap "kill $! 2>/dev/null || true" EXIT
"${uv[@]}" --compile-bytecode --no-deps "${source[@]}" --requirement "$lock" ||
    fail "the packages could not be installed: see uv's message above"
"${uv[@]}" --quiet --no-deps --no-build-isolation --editable "$root"
"$root/deploy/env/make-quantize.sh" ||
    say "GPTQModel could not be installed (see above): the stage quantize will not run, all else will." \
        "Once that is mended: make env-quantize"
touch "$stamp"
say "ready: .venv/bin/pointsman"
