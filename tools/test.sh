#!/bin/sh
# Every test: tools/test.sh BIN. Says first what it will skip and why; with CI set nothing may be skipped.
set -eu
bin=$1
stop() { echo "launchbook: $*" >&2; exit 2; }

can_lab() { [ "$(id -u)" = 0 ] && [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null; }
can_browse() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }

if ! can_browse && can_lab; then
  echo "launchbook: installing Debian's Chromium for the tests of the pages (about 1 min)"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
    >/dev/null 2>&1 || echo "launchbook: chromium could not be installed"
fi

selected=""
can_lab || selected="not lab"
can_browse || selected="${selected:+$selected and }not browser"
if [ -n "$selected" ]; then
  [ -z "${CI:-}" ] || stop "here only tests with '$selected' can run; the lab needs root on Debian, the pages Chromium."
  echo "launchbook: only '$selected' is tested: the lab needs root on Debian, the pages need Chromium."
fi

if command -v npm >/dev/null; then
  # k6's types and the compiler, for the test of our scripts for k6: exact versions, no script of theirs is run.
  (cd tests/k6-types && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null) ||
    stop "npm could not install tests/k6-types"
elif [ -n "${CI:-}" ]; then
  stop "there is no npm, so our scripts for k6 can't be held against its types."
fi

if can_lab; then
  # The lab's programs and images, from the cache where they are there; 6 to 12 minutes where they are not.
  "$bin/lab" build
fi
exec "$bin/pytest" -m "$selected" --durations=10
