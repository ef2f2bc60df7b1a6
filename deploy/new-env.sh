#!/bin/sh
# Makes .env from .env.example, with a new secret in each empty place. Leaves one that is there alone: losing its
# CLARION_ENCRYPTION_KEYS would lose every provider's credentials. Usage: deploy/new-env.sh [FILE]
set -euC
umask 077
cd "$(dirname "$0")/.."
file=${1:-.env}

hexadecimal() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

if [ -e "$file" ]; then
  echo "$file is there already: it is left as it is." >&2
  exit 1
fi
while IFS= read -r line; do
  case $line in
    CLARION_ENCRYPTION_KEYS=) echo "$line$(head -c 32 /dev/urandom | base64)" ;;
    CLARION_*=) echo "$line$(hexadecimal)" ;;
    *) echo "$line" ;;
  esac
done <.env.example >"$file"
