#!/bin/sh
# The Python environment: tools/setup.sh FOLDER. Everything comes from requirements.lock, by hash.
set -eu
venv=$1
stop() { echo "launchbook: $*" >&2; exit 2; }

python=$(command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3) \
  || stop "python3 is missing; install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || stop "$("$python" --version) is too old; install Python 3.11 or newer."

echo "launchbook: setting up the Python environment in $venv (10 s with a warm package cache, about 1 min without)"
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  "$python" -m venv "$venv" \
    || stop "$python can't make virtual environments; install its venv module (Debian: apt-get install python3-venv)."
fi
# uv first, by its own hashes from the same lock file: it installs the rest some ten times as fast as pip.
awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements.lock > "$venv/uv.lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$venv/uv.lock" \
  || stop "uv could not be installed from the package registry; see the message above."
VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet --require-hashes -r requirements.lock
VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
touch "$venv/.ready"
