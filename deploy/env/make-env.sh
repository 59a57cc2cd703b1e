#!/usr/bin/env bash
# Make .venv from the lock of one kind of machine:  deploy/env/make-env.sh cpu|cuda
#
# `make env` calls this only when the lock or pyproject.toml is newer than the environment. Packages come
# from whatever index pip is configured with; the CPU build of torch, which the main index does not carry,
# from there too if it has one, else from PyTorch's own CPU index.
set -euo pipefail

UV_VERSION=0.13.9
DISK_GIB_CPU=6   # the finished environment takes 5
DISK_GIB_CUDA=16 # and 14 with CUDA's libraries

fail() {
    echo "make env: $*" >&2
    exit 1
}
say() { echo "make env: $*"; }

accel=${1:-cpu}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lock=$root/deploy/env/$accel.txt
venv=$root/.venv
stamp=$venv/.made-for-$accel

[[ -f $lock ]] || fail "ACCEL=$accel is not known; use ACCEL=cpu or ACCEL=cuda"
[[ $(uname -s) == Linux ]] || fail "vLLM's wheels are for Linux; this is $(uname -s): use a Linux machine"

python=""
for candidate in python3 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
        python=$(command -v "$candidate")
        break
    fi
done
if [[ -z $python ]]; then
    found=$(python3 --version 2>/dev/null || echo "no python3")
    fail "Python 3.11 or 3.12 is needed, found $found: install one and make sure that it is on PATH"
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module: install it (Debian: apt-get install python3-venv)"
command -v gcc >/dev/null || fail "gcc is missing, the compiler: install it (Debian: apt-get install gcc)"
needed=$DISK_GIB_CPU
[[ $accel == cuda ]] && needed=$DISK_GIB_CUDA
free=$(df --output=avail --block-size=1G "$root" | tail -n 1 | tr -d ' ')
if [[ ! -e $stamp && $free -lt $needed ]]; then
    fail "$needed GiB of disk are needed in $root, $free GiB are free"
fi

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
say "after the last download their byte code is made, which says nothing for half a minute to two"
# Byte code is made here once: vLLM imports so much that a start without it takes half a minute longer.
"${uv[@]}" --compile-bytecode --no-deps "${source[@]}" --requirement "$lock" ||
    fail "the packages could not be installed: see uv's message above"
"${uv[@]}" --quiet --no-deps --no-build-isolation --editable "$root"
"$root/deploy/env/make-quantize.sh" ||
    say "GPTQModel could not be installed (see above): the stage quantize will not run, all else will." \
        "Once that is mended: make env-quantize"
touch "$stamp"
say "ready: .venv/bin/pointsman"
