#!/usr/bin/env bash
# Installs the system packages listed in packages.txt, or given as arguments, where that is
# possible without asking for a password; otherwise says in one sentence how to. Never fails:
# everything but sound works without them.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=("$@")
if [ ${#packages[@]} -eq 0 ]; then
    while read -r package; do packages+=("$package"); done <packages.txt
fi

has() { command -v "$1" >/dev/null 2>&1; }
on_macos() { [ "$(uname -s)" = Darwin ]; }

# macOS's Homebrew has its own names
brew_name() { case $1 in libfluidsynth3) echo fluid-synth ;; *) echo "$1" ;; esac; }

is_installed() {
    if has dpkg-query; then
        dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
    elif on_macos && has brew; then
        brew list --versions "$(brew_name "$1")" >/dev/null 2>&1
    elif has ldconfig; then # libfluidsynth3 is libfluidsynth.so.3
        ldconfig -p | grep -q "${1%%[0-9]*}\.so"
    else
        return 1
    fi
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

may_use_apt() {
    has apt-get && { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if on_macos; then
    names=()
    for package in "${missing[@]}"; do names+=("$(brew_name "$package")"); done
    has brew && brew install "${names[@]}" && exit 0
    how="\`brew install ${names[*]}\`"
elif may_use_apt; then
    # a fresh system has no package lists yet: fetch them, then try again
    apt_install "${missing[@]}" || { as_root apt-get update -q && apt_install "${missing[@]}"; } && exit 0
    how="\`sudo apt-get update && sudo apt-get install ${missing[*]}\`"
elif has apt-get; then
    how="\`sudo apt-get install ${missing[*]}\`"
else
    how="your system's package manager"
fi
echo "Please install ${missing[*]} with $how; what does not need it works meanwhile."
