# mount-agent in an image of its own: build, then a runtime with git, gh and tini.
# Build: docker build -t mount-agent .
# Run:   docker run --rm -v "$PWD/manifest.json:/run/mount-agent/manifest.json:ro" mount-agent run -- bash
ARG BASE=node:24-trixie-slim

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY build ./build
COPY agent ./agent
RUN npm run build

FROM ${BASE} AS runtime
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates gh git tini \
  && rm -rf /var/lib/apt/lists/*

COPY --from=build /build/package.json /opt/mount-agent/package.json
COPY --from=build /build/dist /opt/mount-agent/dist
COPY LICENSE /opt/mount-agent/LICENSE

# The user of the daemon and of the agent: the base image's uid 1000 under the name "agent".
# git reads the daemon's configuration through /etc/gitconfig; a missing include is no error.
RUN ln -s /opt/mount-agent/dist/main.js /usr/local/bin/mount-agent \
  && chmod 755 /opt/mount-agent/dist/main.js \
  && usermod --login agent --home /home/agent --move-home node \
  && groupmod --new-name agent node \
  && install -d -o agent -g agent -m 755 /app \
  && install -d -o agent -g agent -m 700 /run/mount-agent \
  && git config --system include.path /run/mount-agent/gitconfig

USER agent
WORKDIR /app
EXPOSE 8484
VOLUME ["/app"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s --retries=3 \
  CMD ["mount-agent", "healthcheck"]
ENTRYPOINT ["tini", "--", "mount-agent"]
CMD ["run"]
