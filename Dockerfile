# syntax=docker/dockerfile:1

# Pin the image by digest in your own registry mirror if you build for
# production: a tag can be moved.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY tools/image/go.mod tools/image/go.sum tools/image/
RUN go mod download && go mod download -C tools/image
COPY . .
ARG VERSION=dev REVISION=unknown CREATED=0 TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
      go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /queue-worker ./cmd/queue-worker
# The files of the image, by the program that `make image-tar` makes whole images
# with: the binary under the names that charts call, certificates, licence, SBOM.
RUN go run -C tools/image . -binary /queue-worker -version "$VERSION" -revision "$REVISION" -created "$CREATED" -rootfs /out

FROM scratch
ARG VERSION=dev REVISION=unknown
LABEL org.opencontainers.image.title="queue-worker" \
      org.opencontainers.image.description="Calls OpenFaaS functions off the queue, retries with back-off and keeps what failed" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ /
ENV PATH=/usr/bin
WORKDIR /
USER 65532:65532
EXPOSE 8081
# Not ENTRYPOINT: a compose file that says "command: /worker -license-file=..."
# would add to it, not replace it.
CMD ["/usr/bin/queue-worker"]
