# One daemon, three targets; docs/image.md has sizes, volumes, ports, and what was tried.
#   docker build -t mount-agent .                        an image of its own, with git, gh and tini
#   docker build -t mount-agent:layer --target layer .   our files alone, for COPY --from=mount-agent:layer
#   docker build -t mount-agent:test --target test .     all that the tests need; its command runs them

# Node's LTS on Debian stable; the digest is that of the index of all platforms.
ARG BASE=docker.io/library/node:24.21.0-trixie-slim@sha256:173f125896c3b47ddf056734c7ea789d04595a6a08769a8f78e0df642781fb66

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json LICENSE ./
COPY build ./build
COPY agent ./agent
# With the code cache of this Node's V8. Another one refuses it, and starts 50 ms later.
RUN npm run --silent build \
  && chmod 755 dist/main.js \
  && install -d /opt/mount-agent \
  && cp -r package.json LICENSE dist /opt/mount-agent

FROM build AS test
COPY . .
RUN sh test/setup/debian-packages.sh && rm -rf /var/lib/apt/lists/*
CMD ["npm", "test"]

FROM scratch AS layer
COPY --from=build /opt/mount-agent /opt/mount-agent

FROM ${BASE} AS runtime
# gh handed tokens to other hosts until 2.63 (CVE-2024-53858); the current one is a release of
# github.com/cli/cli. GH_DEBIAN=2.46.0-3 takes Debian's with the fix ported back, where only Debian's
# mirror can be reached.
ARG GH_VERSION=2.101.0
ARG GH_SHA256_AMD64=f876a3b87bf67c94f773d17becca4dc7340b056dab901473a9260ee2a73e237b
ARG GH_SHA256_ARM64=9aec87f9a011b1521556b06cb003776e7e214144c8efd2144924a28d90c23057
ARG GH_RELEASES=https://github.com/cli/cli/releases/download
ARG GH_DEBIAN=
COPY build/fetch.ts /tmp/fetch.ts
RUN set -eu; \
  export DEBIAN_FRONTEND=noninteractive; \
  architecture=$(dpkg --print-architecture); \
  case $architecture in \
    amd64) sum=${GH_SHA256_AMD64} ;; \
    arm64) sum=${GH_SHA256_ARM64} ;; \
    *) sum=none ;; \
  esac; \
  gh=gh=${GH_DEBIAN}; \
  if [ -z "${GH_DEBIAN}" ]; then \
    gh=/tmp/gh.deb; \
    node /tmp/fetch.ts "${GH_RELEASES}/v${GH_VERSION}/gh_${GH_VERSION}_linux_$architecture.deb" "$sum" $gh; \
  fi; \
  apt-get update; \
  apt-get install -y --no-install-recommends ca-certificates git git-lfs tini "$gh"; \
  version=$(dpkg-query -Wf '${Version}' gh); \
  case $version in \
    2.46.0-[3-9]*) ;; \
    *) dpkg --compare-versions "$version" ge 2.63 || { echo "gh $version has CVE-2024-53858" >&2; exit 1; } ;; \
  esac; \
  rm -rf /var/lib/apt/lists/* /tmp/fetch.ts /tmp/gh.deb

COPY --from=build /opt/mount-agent /opt/mount-agent

# The user of the daemon and of its command is the base image's uid 1000, called "agent". git reads the
# daemon's configuration through /etc/gitconfig; a missing include is no error.
RUN ln -s /opt/mount-agent/dist/main.js /usr/local/bin/mount-agent \
  && usermod --login agent --home /home/agent --move-home node \
  && groupmod --new-name agent node \
  && install -d -o agent -g agent -m 755 /app \
  && install -d -o agent -g agent -m 700 /run/mount-agent \
  && git lfs install --system --skip-repo \
  && git config --system include.path /run/mount-agent/gitconfig

LABEL org.opencontainers.image.title="mount-agent" \
  org.opencontainers.image.description="Clones a session's Git repositories into an agent's container, wires their tokens, and watches for work that would be lost" \
  org.opencontainers.image.licenses="Apache-2.0"
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"

USER agent
ENV HOME=/home/agent
WORKDIR /app
# /app: the clones. /run/mount-agent: the manifest comes in here, tokens stay here; best a tmpfs.
VOLUME ["/app"]
# The health endpoint; on loopback only, until MOUNT_AGENT_LISTEN says 0.0.0.0:8484.
EXPOSE 8484
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
  CMD ["mount-agent", "healthcheck"]
# tini reaps what the command leaves behind, which Node as PID 1 could not.
ENTRYPOINT ["tini", "--", "mount-agent"]
CMD ["run"]
