#!/usr/bin/env bash
# Makes .venv with the pinned packages; with "dev" also what tests and checks need. Does nothing
# when that is done already. Settings, from the environment:
#   PYTHON  the Python to use (3.11 or newer); found by itself otherwise
#   TORCH   "cpu" for PyTorch's smaller build without GPU support (Linux)
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=requirements.txt
[ "${1:-}" != dev ] || requirements=requirements-dev.txt
torch_cpu_index=https://download.pytorch.org/whl/cpu

fail() {
    echo "$1" >&2
    exit 1
}

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if suits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Digital DJ needs Python 3.11 or newer, but found only \
$("${PYTHON:-python3}" --version 2>/dev/null || echo none); install it, or name it: make setup PYTHON=/path/to/python."
}

make_venv() {
    local python=$1 version
    # Debian and Ubuntu keep the means to make environments in a package of its own
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        bash scripts/system-packages.sh "$version-venv"
    fi
    rm -rf .venv
    "$python" -m venv .venv || fail "$python cannot make a virtual environment; see above."
}

# what the environment was made from: pins and the interpreter's path, which it has inside
fingerprint() {
    { cat requirements.txt; [ "$requirements" = requirements.txt ] || cat "$requirements"; pwd; } | cksum
}

bash scripts/system-packages.sh
stamp=.venv/.made-from-$requirements
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint)" ]; then
    exit 0
fi
if ! suits .venv/bin/python; then
    python=$(find_python)
    make_venv "$python"
fi
echo "Installing Python packages; the first time this takes a few minutes."
quiet=--quiet
[ ! -t 1 ] || quiet= # someone is watching: show how far it is
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install $quiet"
if [ "${TORCH:-}" = cpu ] && [ "$(uname -s)" = Linux ]; then
    $pip --index-url "$torch_cpu_index" "$(grep '^torch==' requirements.txt)"
fi
$pip -r "$requirements"
fingerprint >"$stamp"
