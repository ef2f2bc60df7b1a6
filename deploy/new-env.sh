#!/bin/sh
# Creates .env from .env.example, with a new secret for each empty variable. To an existing file it only adds the secrets
# that are new in this version: without the old CLARION_ENCRYPTION_KEYS all credentials of providers would be lost.
# Usage: deploy/new-env.sh [FILE]
set -euC
umask 077
cd "$(dirname "$0")/.."
file=${1:-.env}

hexadecimal() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

filled() {
  case $1 in
    CLARION_ENCRYPTION_KEYS=) echo "$1$(head -c 32 /dev/urandom | base64)" ;;
    CLARION_*=) echo "$1$(hexadecimal)" ;;
    *) echo "$1" ;;
  esac
}

if [ -e "$file" ]; then
  added=
  while IFS= read -r line; do
    case $line in
      CLARION_*=)
        if ! grep -q "^$line" "$file"; then
          # Where the last line has no end, it must not swallow the new one.
          [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
          filled "$line" >>"$file"
          added="$added ${line%=}"
        fi
        ;;
    esac
  done <.env.example
  if [ -z "$added" ]; then
    echo "$file already exists and is complete: nothing was changed." >&2
    exit 1
  fi
  echo "Added to $file:$added" >&2
  exit 0
fi
while IFS= read -r line; do filled "$line"; done <.env.example >"$file"
