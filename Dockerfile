# The wallet in a container. Two stages: what is installed comes hash-checked from the locks, and the
# final stage has neither a compiler nor pip in its environment. It runs as nobody in particular, on
# a root file system that may be read-only.
#
#   docker build -t wallet .
#   docker run --read-only -e WALLET_DATABASE_URL=… -e WALLET_CALLBACK_KEYS=… -p 8080:8080 wallet

ARG PYTHON_VERSION=3.13.9

# --- build: the environment ------------------------------------------------------------------

FROM python:${PYTHON_VERSION}-slim AS build

WORKDIR /build
RUN python -m venv --without-pip /opt/wallet

# The locks first: this layer is made anew only when a dependency changes. The embedded PostgreSQL
# stays out; a container is told where its database is.
COPY requirements/service.lock requirements/tracing.lock requirements/
RUN python -m pip --python /opt/wallet/bin/python install --no-cache-dir --disable-pip-version-check \
    --only-binary :all: --require-hashes -r requirements/service.lock
RUN python -m pip --python /opt/wallet/bin/python install --no-cache-dir --disable-pip-version-check \
    --only-binary :all: --require-hashes -r requirements/tracing.lock

# --- run: the environment and the code -------------------------------------------------------

FROM python:${PYTHON_VERSION}-slim

# Nobody's number, the same everywhere, so that a volume or a policy can name it.
RUN groupadd --system --gid 10001 wallet \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /srv/wallet wallet

COPY --from=build /opt/wallet /opt/wallet

WORKDIR /srv/wallet
COPY alembic.ini ./
COPY migrations migrations
COPY app app
COPY --chmod=0755 deploy/wallet /opt/wallet/bin/wallet

# Compiled now, because nothing can be written later; unchecked, because nothing will change.
RUN /opt/wallet/bin/python -m compileall -q --invalidation-mode unchecked-hash app migrations

ENV PATH=/opt/wallet/bin:$PATH \
    PYTHONPATH=/srv/wallet \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WALLET_HOST=0.0.0.0 \
    WALLET_PORT=8080 \
    WALLET_PRIVATE_HOST=0.0.0.0 \
    WALLET_PRIVATE_PORT=8081 \
    WALLET_BACKOFFICE_HOST=0.0.0.0 \
    WALLET_BACKOFFICE_PORT=8082

USER 10001:10001

# The contracts; and, for our own network only, probes and numbers, and the back office.
EXPOSE 8080 8081 8082

# Can it serve? Asked of the private port, which asks the database.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['WALLET_PRIVATE_PORT'] + '/health/ready', timeout=4)"]

# SIGTERM finishes what was begun: give it WALLET_DEADLINE_SECONDS and ten seconds more.
STOPSIGNAL SIGTERM

ENTRYPOINT ["wallet"]
CMD ["serve"]
