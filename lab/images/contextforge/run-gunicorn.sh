#!/bin/sh
# The command of the published image (run-gunicorn.sh of IBM/mcp-context-forge), without its search for a virtualenv
# and its TLS: the same options, the same variables, the same defaults. The published default of workers is two per
# core and one, up to 16.
set -eu
exec python3 -m gunicorn \
    -c /opt/contextforge/gunicorn.config.py \
    --worker-class uvicorn.workers.UvicornWorker \
    --workers "${GUNICORN_WORKERS:-2}" \
    --timeout "${GUNICORN_TIMEOUT:-600}" \
    --max-requests "${GUNICORN_MAX_REQUESTS:-100000}" \
    --max-requests-jitter "${GUNICORN_MAX_REQUESTS_JITTER:-100}" \
    --access-logfile /dev/null \
    --error-logfile - \
    --forwarded-allow-ips="*" \
    --pid /tmp/mcpgateway-gunicorn.lock \
    --no-control-socket \
    --preload \
    mcpgateway.main:app
