#!/bin/sh
# Compiles the locks from pyproject.toml: hashes, but no address of any index. Usage: requirements/compile.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
lock() { # lock OUTPUT ARGUMENT...
  output=$1; shift
  env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file "requirements/$output.txt" "$@"
}
# The image and `make run` can export spans (extra "otel"): a few MB on disk, loaded only where they are asked for.
lock base pyproject.toml --extra otel "$@"
lock stack pyproject.toml --extra otel --extra stack --constraints requirements/base.txt "$@"
lock dev pyproject.toml --extra otel --extra stack --extra dev --constraints requirements/stack.txt "$@"
lock build --group build --constraints requirements/stack.txt "$@"
lock go --group go "$@"
lock node --group node "$@"
