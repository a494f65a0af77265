ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all:
WORKDIR /src
# Two environments: one with pip and the build backend, which stays behind, and one to be shipped.
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/x-analytics-exporter
COPY requirements.txt requirements-build.txt ./
RUN /build/bin/pip install --require-hashes -r requirements-build.txt \
 && /build/bin/pip --python /opt/x-analytics-exporter/bin/python install --no-compile --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
# Compiled here, since the running container cannot write; unchecked, since copying may change file times.
RUN /build/bin/pip wheel --no-build-isolation --no-index --no-deps --wheel-dir /wheel . \
 && /build/bin/pip --python /opt/x-analytics-exporter/bin/python install --no-compile --no-index --no-deps /wheel/*.whl \
 && /opt/x-analytics-exporter/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/x-analytics-exporter/lib

FROM ${BASE}
# Nothing that installs Python packages is left, neither the base's pip nor the copy ensurepip carries.
RUN if python3 -m pip --version >/dev/null 2>&1; then \
      python3 -m pip uninstall --yes --root-user-action=ignore setuptools wheel pip; \
    fi \
 && rm -rf "$(python3 -c 'import ensurepip; print(ensurepip.__path__[0])')" \
 && install -d /etc/x-analytics-exporter \
 && install -d -m 0700 -o 65532 -g 65532 /var/lib/x-analytics-exporter
COPY --from=build /opt/x-analytics-exporter /opt/x-analytics-exporter
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="x-analytics-exporter" \
      org.opencontainers.image.description="Prometheus exporter for hourly X (Twitter) video and post analytics" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/x-analytics-exporter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    X_ANALYTICS_EXPORTER_REVISION="${REVISION}"
WORKDIR /var/lib/x-analytics-exporter
USER 65532:65532
EXPOSE 9877
# For the default address without TLS; elsewhere override it, and Kubernetes asks by its own probes. A bare
# socket, since an HTTP client would take a sixth of the 64 MiB that the whole container can live in.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python3", "-I", "-S", "-c", "import socket, sys; peer = socket.create_connection(('127.0.0.1', 9877), 4); peer.sendall(b'GET /-/healthy HTTP/1.0\\r\\n\\r\\n'); sys.exit(b' 200 ' not in peer.recv(64))"]
ENTRYPOINT ["x-analytics-exporter"]
CMD ["run", "--config.file=/etc/x-analytics-exporter/config.yaml"]
