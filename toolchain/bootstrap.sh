#!/bin/sh
# From a bare machine to .venv exactly as requirements.lock says. Owns .venv and nothing else; returns at once when the
# lock is the one that .venv was made from. Its output goes to stderr.
set -eu
cd "$(dirname "$0")/.."
VENV=.venv

say() { echo "$*" >&2; }
stop() { say "$*"; exit 1; }
sum_of() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }

lock=$(sum_of requirements.lock)
stamp=$(cat $VENV/.lock 2>/dev/null || true)
[ "$stamp" = "$lock" ] && [ -x $VENV/bin/python ] && exit 0

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
recent_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v $name >/dev/null && recent $name; then command -v $name; return; fi
    done
}
install() {
    command -v apt-get >/dev/null || stop "Python 3.11 or newer with venv is needed: install it, then run this again."
    [ "$(id -u)" = 0 ] || stop "Python 3.11 or newer with venv is needed: run \`sudo apt-get install python3 python3-venv\`, then this again."
    say "Installing python3 and python3-venv …"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates; } >&2
}

usable() { # A killed run may have left an environment without pip.
    [ -x $VENV/bin/python ] && recent $VENV/bin/python &&
        { command -v uv || [ -x $VENV/bin/uv ] || $VENV/bin/python -c 'import pip'; } >/dev/null 2>&1
}

began=$(date +%s)
if ! usable; then
    python=$(recent_python)
    if [ -z "$python" ] || ! { command -v uv >/dev/null || "$python" -c 'import ensurepip, venv' 2>/dev/null; }; then
        install
        python=$(recent_python)
        [ -n "$python" ] || stop "This machine's Python is older than 3.11: install a newer one (https://www.python.org/downloads/), then run this again."
    fi
    say "Making $VENV with $("$python" --version) …"
    rm -rf $VENV
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then "$python" -m venv $VENV; else uv venv -q --python "$python" $VENV; fi
fi

say "Installing what requirements.lock names into $VENV …"
uv=$(command -v uv || { [ -x $VENV/bin/uv ] && echo $VENV/bin/uv; } || true)
if [ -n "$uv" ]; then
    "$uv" pip sync -q --python $VENV/bin/python --require-hashes requirements.lock >&2
else
    $VENV/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock >&2
fi
say "Installed in $(($(date +%s) - began)) s."
echo "$lock" >$VENV/.lock.new && mv $VENV/.lock.new $VENV/.lock
