# The service's image: the program and the shared libraries it loads, without a shell.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg COMMIT="$(git rev-parse HEAD)" --tag items .
#
# For a repeatable build give the base images by digest: --build-arg SWIFT_IMAGE=swift@sha256:…
ARG SWIFT_IMAGE=docker.io/library/swift:6.3-bookworm
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${SWIFT_IMAGE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libcurl4-openssl-dev libpq-dev libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.* ./
COPY scripts/build scripts/build
COPY Tests Tests
COPY Sources Sources
RUN --mount=type=cache,target=/source/.build,sharing=locked \
    scripts/build && strip --strip-all -o /usr/local/bin/items .build/release/items

# The same Debian release as the build, so that the libraries are those the program was linked with.
FROM ${DEBIAN_IMAGE} AS root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libcurl4 libpq5 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/items /usr/local/bin/items
COPY deploy/image/collect /deploy/image/
COPY deploy/certificates /deploy/certificates
# Empty, or /etc/items/certificates/rds.pem; then deploy/certificates must contain rds.pem.
ARG DB_SSLROOTCERT=
RUN /deploy/image/collect /image

FROM scratch
COPY --from=root /image/ /
ARG DB_SSLROOTCERT=
ARG VERSION=unknown
ARG COMMIT=unknown
ARG CREATED=
ARG SOURCE=
# An empty variable counts as unset.
ENV PATH=/usr/local/bin \
    DB_SSLROOTCERT=${DB_SSLROOTCERT} \
    ITEMS_COMMIT=${COMMIT}
LABEL org.opencontainers.image.title="items" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.source="${SOURCE}"
USER 10001:10001
EXPOSE 5001
# Drains; the longest stop takes 30 s, so `docker stop --time 40`.
STOPSIGNAL SIGTERM
# Above the command's own limit of 2.5 s, so that it can report the reason.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/items", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/items"]
CMD ["serve"]
