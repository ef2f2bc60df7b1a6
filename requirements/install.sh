#!/bin/sh
# Makes .venv hold exactly a lock's packages, and Clarion itself. Does nothing where it already does.
# Usage: requirements/install.sh stack|dev
set -eu
cd "$(dirname "$0")/.."
wanted=$1
venv=.venv

say() { echo "$*" >&2; }
fail() { say "$*"; exit 1; }

# Of pyproject.toml only what is installed; the settings of tools come last in it.
project() { sed '/^\[tool\.pytest/,$d' pyproject.toml; }
stamp_of() { cksum <"requirements/$1.txt"; project | cksum; "$venv/bin/python" --version; }
is_current() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.installed-$1" 2>/dev/null)" = "$(stamp_of "$1")" ]; }

# What `make test` needs holds all that `make run` needs, so an environment for tests stays one.
[ ! -e "$venv/.installed-dev" ] || wanted=dev
if is_current "$wanted"; then exit 0; fi

find_python() {
  for name in ${CLARION_PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

if [ ! -x "$venv/bin/python" ]; then
  python=$(find_python) || fail "Clarion needs Python 3.11 or newer: install it, or name it in CLARION_PYTHON."
  say "making the Python environment .venv"
  "$python" -m venv --without-pip "$venv" || fail "$python cannot make an environment in .venv."
fi

uv=$(command -v uv || true)
if [ -z "$uv" ] || ! "$uv" --version >/dev/null 2>&1; then
  uv=build/uv/bin/uv
  if [ ! -x "$uv" ]; then
    python=$(find_python) || fail "Clarion needs Python 3.11 or newer: install it, or name it in CLARION_PYTHON."
    say "fetching uv (about 20 MB, once)"
    PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --target build/uv uv ||
      fail "uv cannot be fetched: install it, or pip for $python."
  fi
fi

say "installing requirements/$wanted.txt (the first time about $([ "$wanted" = dev ] && echo 350 || echo 200) MB)"
"$uv" pip sync --quiet --python "$venv/bin/python" --require-hashes "requirements/$wanted.txt" ||
  fail "the packages of requirements/$wanted.txt cannot be installed."
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable . ||
  fail "Clarion itself cannot be installed into .venv."
rm -f "$venv"/.installed-*
stamp_of "$wanted" >"$venv/.installed-$wanted"
