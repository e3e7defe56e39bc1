#!/bin/sh
# Double-click on a Mac: tells rekordbox where this set is. On Linux: sh relocate.command
cd "$(dirname "$0")" || exit 1
[ -f rekordbox.xml ] || { echo "rekordbox.xml is not beside this file."; exit 1; }
# the folder as an address: every byte but letters, digits and a few signs as %XX
here=$(printf %s "$PWD" | od -An -v -tx1 | tr -d '\n' | awk '{
  signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~/"
  for (i = 0; i < length(signs); i++) plain[sprintf("%02x", index_of(substr(signs, i + 1, 1)))] = substr(signs, i + 1, 1)
  for (i = 1; i <= NF; i++) printf "%s", ($i in plain) ? plain[$i] : "%" toupper($i)
}
function index_of(sign,   code) { for (code = 32; code < 127; code++) if (sprintf("%c", code) == sign) return code; return 0 }')
# a track lies two folders deep: its folder, its file
sed "s|Location=\"file://localhost/[^\"]*/\([^/\"]*/[^/\"]*\)\"|Location=\"file://localhost$(printf %s "$here" | sed 's/[&|\\]/\\&/g')/\1\"|" \
  rekordbox.xml >rekordbox.xml.new && mv rekordbox.xml.new rekordbox.xml || exit 1
echo "The tracks now point to $PWD."
echo "In rekordbox: Preferences > Advanced > Database > rekordbox xml > rekordbox.xml here."
