#!/bin/sh
# Double-click on a Mac: tells rekordbox where this set is. On Linux: sh relocate.command
cd "$(dirname "$0")" || exit 1
if ! command -v python3 >/dev/null 2>&1; then
  echo "This needs Python 3. Get it from https://www.python.org/downloads/ and try again."
  exit 1
fi
exec python3 relocate.py
