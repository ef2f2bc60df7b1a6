#!/bin/sh
# Removes the local stack's data and all built files. A running stack is left alone.
set -eu
cd "$(dirname "$0")/.."
data=${CLARION_DATA:-.clarion}
if [ -e "$data/stack.json" ] && kill -0 "$(sed -n 's/^  "pid": \([0-9]*\),$/\1/p' "$data/stack.json")" 2>/dev/null; then
  echo "A stack runs on $data: stop it first." >&2
  exit 1
fi
# Only a folder that is ours: CLARION_DATA may name anything.
if [ -e "$data/secrets.json" ] || [ "$data" = .clarion ]; then rm -rf "$data"; fi
[ ! -d build/home ] || chmod -R u+w build/home # Go's cache of modules is read-only
rm -rf build console/dist console/dist.part console/dist.old .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
find . -name .venv -prune -o -name node_modules -prune -o -name __pycache__ -type d -exec rm -rf {} +
