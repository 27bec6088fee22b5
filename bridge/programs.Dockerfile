# First of two images over the operator's Sentinel image (`sentinel.layers: all`): what the bridge and the stdio backends
# need beside it, pinned by bridge/servers and bridge/requirements.lock. Nothing is fetched when a container starts.
#
# BASE: Debian with `sentinel-gateway` in its PATH. NODE: any image of Node 22 or newer made for the same Debian or an
# older one; only its program `node` is taken. The lab makes its own image from the same lists (lab/images).
ARG BASE
ARG NODE=node:22-bookworm-slim

FROM ${NODE} AS servers
WORKDIR /opt/servers
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund

FROM ${BASE} AS packages
USER root
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-pip
COPY requirements.lock /opt/sentinel/
RUN python3 -m pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes \
    --target /opt/sentinel/packages -r /opt/sentinel/requirements.lock
# Compiled beforehand: on a read-only root every start would compile anew.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/sentinel/packages

FROM ${BASE}
USER root
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates chromium-headless-shell curl libstdc++6 python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=servers /usr/local/bin/node /usr/local/bin/node
COPY --from=servers /opt/servers /opt/servers
COPY --from=packages /opt/sentinel/packages /opt/sentinel/packages
ENV PATH=/opt/servers/node_modules/.bin:$PATH
