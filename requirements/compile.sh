#!/bin/sh
# Compiles the locks from pyproject.toml: hashes, but no address of any index. Usage: requirements/compile.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
lock() { # lock OUTPUT ARGUMENT...
  output=$1; shift
  env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file "requirements/$output.txt" "$@"
}
lock base pyproject.toml "$@"
lock stack pyproject.toml --extra stack --constraints requirements/base.txt "$@"
lock otel pyproject.toml --extra otel --constraints requirements/base.txt "$@"
lock dev pyproject.toml --extra stack --extra otel --extra dev \
  --constraints requirements/stack.txt --constraints requirements/otel.txt "$@"
lock build --group build --constraints requirements/stack.txt "$@"
lock go --group go "$@"
lock node --group node "$@"
