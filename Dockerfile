# syntax=docker/dockerfile:1

# Pin both images by digest in your own registry mirror if you build for
# production: a tag can be moved.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev TARGETOS TARGETARCH
# One program under the three names that charts call: /usr/bin/queue-worker,
# /worker (Community Edition and faasd) and jetstream-queue-worker on PATH. The
# names are hard links: one copy in the layer, and nothing that has to be followed.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
      go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/usr/bin/queue-worker ./cmd/queue-worker \
 && ln /out/usr/bin/queue-worker /out/usr/bin/jetstream-queue-worker \
 && ln /out/usr/bin/queue-worker /out/worker \
 && mkdir -p /out/licenses && cp LICENSE /out/licenses/queue-worker

# CA certificates for callbacks over TLS, no shell, no package manager.
FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=dev REVISION=unknown
LABEL org.opencontainers.image.title="queue-worker" \
      org.opencontainers.image.description="Calls OpenFaaS functions off the queue, retries with back-off and keeps what failed" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ /
USER 65532:65532
EXPOSE 8081
CMD ["/usr/bin/queue-worker"]
