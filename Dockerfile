FROM debian:bookworm-slim AS build
WORKDIR /src
COPY . .
RUN ./dev deb --no-check

FROM debian:bookworm-slim
COPY --from=build /src/build/deb/*.deb /tmp/
RUN apt-get update \
    && apt-get install -y --no-install-recommends systemd-standalone-sysusers ca-certificates \
    && rm /tmp/*-dbgsym_*.deb \
    && apt-get install -y --no-install-recommends /tmp/gameserver_*.deb \
    && rm -rf /tmp/*.deb /var/lib/apt/lists/*
USER gameserver
WORKDIR /var/lib/gameserver
ENTRYPOINT ["/usr/bin/gameserver"]
CMD ["run", "--config=/etc/gameserver/gameserver.toml"]
