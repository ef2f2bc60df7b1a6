#!/bin/sh
# Makes .env from .env.example, with a new secret in each empty place. To one that is there already it adds the secrets
# that only this version needs, and changes nothing else: losing its CLARION_ENCRYPTION_KEYS would lose every provider's
# credentials. Usage: deploy/new-env.sh [FILE]
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
    echo "$file is there already and complete: it is left as it is." >&2
    exit 1
  fi
  echo "Added to $file:$added" >&2
  exit 0
fi
while IFS= read -r line; do filled "$line"; done <.env.example >"$file"
