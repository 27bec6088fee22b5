#!/usr/bin/env bash
# Updates every lock of Python packages from its sources: a pin that still fits stays, unless --upgrade is given. With
# hashes, and without the address of a package host, so that a lock works with whichever one a machine uses.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo "$PWD/.venv/bin/uv")
export UV_CUSTOM_COMPILE_COMMAND="make locks"

# lock <output> <what uv is given>...
lock() { "$uv" pip compile "${@:2}" "${upgrade[@]}" --generate-hashes --no-emit-index-url --quiet --output-file "$1"; }
upgrade=("$@")

lock requirements.lock pyproject.toml --group lab --group dev --python-version 3.11 --universal
lock tests/engine/backends/requirements.lock tests/engine/backends/requirements.in --python-version 3.11 --universal
# What runs in an image: that of the image's Python, and no other platform.
image=(--python-version 3.13)
lock bridge/requirements.lock bridge/requirements.in "${image[@]}"
lock lab/images/sentinel.lock bridge/requirements.in lab/doubles/sentinel/requirements.in "${image[@]}"
lock lab/images/grafana.lock lab/doubles/grafana/requirements.in "${image[@]}"
for name in backends contextforge n8n; do
    (cd "lab/images/$name" && lock requirements.lock requirements.in "${image[@]}")
done
