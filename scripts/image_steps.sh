#!/usr/bin/env bash
# The Dockerfile's steps on a clean directory, for machines without a container engine: a fresh
# environment with the package alone, served as in the image, until its health check passes.
#   bash scripts/image_steps.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
folder=${1:-$(mktemp -d)}
port=$((20000 + RANDOM % 20000))
command -v docker >/dev/null 2>&1 || command -v podman >/dev/null 2>&1 ||
    echo "There is no container engine here: the Dockerfile's steps run as a script."

git archive --format=tar HEAD | (mkdir -p "$folder/source" && tar -xf - -C "$folder/source")
"${PYTHON:-python3}" -m venv "$folder/opt"
"$folder/opt/bin/pip" install -q --disable-pip-version-check "$folder/source[host]"
mkdir -p "$folder/data" "$folder/home"
cd "$folder/home"
DIGITAL_DJ_HOME=$folder/data PATH=$folder/opt/bin:$PATH \
    digital-dj serve --host 0.0.0.0 --port "$port" --no-browser &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
for _ in $(seq 240); do
    if "$folder/opt/bin/python" -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/_stcore/health', timeout=4)" 2>/dev/null; then
        echo "The image's steps serve a healthy app; $(du -sm "$folder/opt" | cut -f1) MB are installed from $source."
        exit 0
    fi
    kill -0 $server
    sleep 0.5
done
echo "The app did not become healthy." >&2
exit 1
