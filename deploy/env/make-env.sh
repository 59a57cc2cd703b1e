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
tell_progress() { # one line, written over on a terminal; a line every ten seconds elsewhere, if it is another one
    local pause=10 begin='' end=$'\n' said='' last
    if [[ -t 1 ]]; then pause=2 begin=$'\r\e[K' end=''; fi
    while true; do
        read -rt $pause <> <(:) || true
        last=$(tail -n 1 "$log" 2>/dev/null || true)
        last="${last:-looking for the packages}, byte code of $(byte_code) files"
        [[ $last == "$said" ]] || printf '%smake env: %d s: %.100s%s' "$begin" "$SECONDS" "$last" "$end"
        said=$last
    done
}
end_progress() {
    kill "$ticker" 2>/dev/null || true
    [[ ! -t 1 ]] || printf '\r\e[K'
}

accel=${1:-cpu}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lock=$root/deploy/env/$accel.txt
log=$root/.venv/make-env.log
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
# nothing meanwhile, half a minute to two, and a line for each package before that.
tell_progress &
ticker=$!
trap end_progress EXIT
if ! "${uv[@]}" --compile-bytecode --no-deps "${source[@]}" --requirement "$lock" >"$log" 2>&1; then
    end_progress
    tail -n 20 "$log" >&2
    fail "the packages could not be installed: see uv's message above, all of it is in $log"
fi
"${uv[@]}" --quiet --no-deps --no-build-isolation --editable "$root"
"$root/deploy/env/make-quantize.sh" ||
    say "GPTQModel could not be installed (see above): the stage quantize will not run, all else will." \
        "Once that is mended: make env-quantize"
touch "$stamp"
end_progress
say "ready: .venv/bin/pointsman"
