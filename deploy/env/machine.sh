# Sourced by the scripts here, with $root and $accel set: what a machine must have for an environment.
DISK_GIB_CPU=6   # the finished environment takes 5
DISK_GIB_CUDA=16 # and 14 with CUDA's libraries

venv=$root/.venv
stamp=$venv/.made-for-$accel
needed=$DISK_GIB_CPU
[[ $accel != cuda ]] || needed=$DISK_GIB_CUDA
python=""   # a Python that will do
problems=() # a line for each thing that is missing

# Fill both.
look_at_machine() {
    local candidate free
    [[ -f $root/deploy/env/$accel.txt ]] ||
        problems+=("ACCEL=$accel is not known; use ACCEL=cpu or ACCEL=cuda")
    [[ $(uname -s) == Linux ]] ||
        problems+=("vLLM's wheels are for Linux; this is $(uname -s): use a Linux machine")
    for candidate in python3 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
            python=$(command -v "$candidate")
            break
        fi
    done
    if [[ -z $python ]]; then
        problems+=("Python 3.11 or 3.12 is needed, found $(python3 --version 2>/dev/null || echo "no python3"):$(
        ) install one and make sure that it is on PATH")
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        problems+=("$python has no venv module: install it (Debian: apt-get install python3-venv)")
    fi
    command -v gcc >/dev/null ||
        problems+=("gcc is missing, the compiler: install it (Debian: apt-get install gcc)")
    free=$(df --output=avail --block-size=1G "$root" | tail -n 1 | tr -d ' ')
    if [[ ! -e $stamp && $free -lt $needed ]]; then
        problems+=("$needed GiB of disk are needed in $root, $free GiB are free")
    fi
}

# End with all problems in the name of the command $1, if there are any.
refuse() {
    ((${#problems[@]})) || return 0
    printf "$1: %s\n" "${problems[@]}" >&2
    exit 1
}
