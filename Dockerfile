# Two images. `operator` is what projects begin with, in the place of helm-operator's:
#
#   docker build --target operator --tag chart-operator .
#
# The last stage is this repository's own project. Both are built for amd64 and arm64 on either: the compiler runs natively and
# compiles for the other one.
FROM --platform=$BUILDPLATFORM rust:1.95-bookworm AS build
ARG TARGETARCH
RUN apt-get update && apt-get install --yes --no-install-recommends \
      gcc-aarch64-linux-gnu gcc-x86-64-linux-gnu libc6-dev-amd64-cross libc6-dev-arm64-cross \
    && rm -rf /var/lib/apt/lists/*
RUN case "$TARGETARCH" in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) exit 1 ;; esac \
    && rustup target add "$machine-unknown-linux-gnu" \
    && echo "$machine-unknown-linux-gnu" > /target
ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
    CC_x86_64_unknown_linux_gnu=x86_64-linux-gnu-gcc
WORKDIR /source
COPY . .
# Linked with everything it needs: where it runs there is nothing else.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target,sharing=locked \
    RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --release --locked --package chart-operator --target "$(cat /target)" \
    && install -D "target/$(cat /target)/release/chart-operator" /image/usr/local/bin/chart-operator \
    && ln -s chart-operator /image/usr/local/bin/helm-operator \
    && mkdir -p /image/etc /image/opt/helm && install -d -m 1777 /image/tmp \
    && echo 'helm:x:1001:0:helm:/opt/helm:/sbin/nologin' > /image/etc/passwd \
    && echo 'root:x:0:' > /image/etc/group \
    && chown 1001:0 /image/opt/helm && chmod 775 /image/opt/helm

FROM scratch AS operator
COPY --from=build /image/ /
ENV PATH=/usr/local/bin HOME=/opt/helm
WORKDIR /opt/helm
USER 1001
ENTRYPOINT ["/usr/local/bin/helm-operator", "run", "--watches-file=./watches.yaml"]

FROM operator
ENV HOME=/opt/helm
COPY watches.yaml ${HOME}/watches.yaml
COPY helm-charts  ${HOME}/helm-charts
WORKDIR ${HOME}
