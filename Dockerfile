# The image of workers, function host and jobs: docs/image.md says how to build it and what is in it.
#
#   make image
#
# Nothing of the build stage reaches the image but /opt/penstock.
FROM python:3.13-slim AS build
# Where packages come from, if not from the public registry; ARGs of this stage are in no layer of the image.
ARG PIP_INDEX_URL PIP_CERT UV_DEFAULT_INDEX SSL_CERT_FILE
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore UV_NO_CACHE=1 UV_LINK_MODE=copy
# The official image has pip; one of the same name that was made of a distribution's packages may not.
RUN python -m pip --version >/dev/null 2>&1 \
 || (apt-get update -q && apt-get install -qy --no-install-recommends python3-pip)
COPY image/build.lock image/
RUN python -m pip install --quiet --require-hashes --only-binary :all: --target /opt/build -r image/build.lock
ENV PYTHONPATH=/opt/build
# Before the sources: the layer stays while the lock stays. --no-build: wheels alone, nothing runs to be installed.
COPY image/requirements.lock image/
RUN python -m uv venv --quiet /opt/penstock \
 && python -m uv pip install --quiet --python /opt/penstock/bin/python --no-build --require-hashes --compile-bytecode \
      -r image/requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY penstock penstock
COPY topics topics
COPY workers workers
RUN python -m uv build --quiet --wheel --no-build-isolation --out-dir /opt/wheel \
 && python -m uv pip install --quiet --python /opt/penstock/bin/python --no-deps --compile-bytecode /opt/wheel/*.whl
# A wheel may bring sources and manuals, which land beside bin/ and lib/.
RUN find /opt/penstock -mindepth 1 -maxdepth 1 ! -name bin ! -name 'lib*' ! -name pyvenv.cfg -exec rm -r {} +
# What is in it, for whoever has to know: docs/image.md. The tool is on the path of its own process alone, because it
# asks the environment's Python what that sees.
RUN env -u PYTHONPATH python -c 'import runpy, sys; sys.path.insert(0, "/opt/build"); runpy.run_module("cyclonedx_py", run_name="__main__")' \
      environment --pyproject pyproject.toml --output-reproducible --of JSON -o /opt/penstock/sbom.cdx.json \
      /opt/penstock/bin/python

FROM python:3.13-slim
ARG VERSION=0.1.0 REVISION=unknown CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="Penstock" \
      org.opencontainers.image.description="Stream processing for Kafka with external functions: workers and function host." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim"
RUN printf 'penstock:x:10001:10001:Penstock:/tmp:/usr/sbin/nologin\n' >> /etc/passwd \
 && printf 'penstock:x:10001:\n' >> /etc/group \
 && mkdir /app
COPY --from=build /opt/penstock /opt/penstock
# The root may be read-only: nothing is written but to HOME and the temporary folder, both /tmp.
ENV PATH=/opt/penstock/bin:$PATH HOME=/tmp LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /app
EXPOSE 9464 9900
# Exec form: `penstock` is process 1 and gets the SIGTERM that starts the drain.
STOPSIGNAL SIGTERM
ENTRYPOINT ["penstock"]
CMD ["--help"]
