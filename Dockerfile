# One image for every role of Clarion; the command chooses which, such as `python -m services.router`.
#
#   docker build -t clarion .

# The packages for the browser, as gateway/browser/package-lock.json pins them.
FROM node:22.20.0-bookworm-slim AS browser
WORKDIR /browser
COPY gateway/browser/package.json gateway/browser/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund --omit=dev

# The console, built with what console/package-lock.json pins. Only what it builds reaches the image.
FROM node:22.20.0-bookworm-slim AS console
WORKDIR /console
COPY console/package.json console/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY console ./
RUN npm run build

# The inbox component, in the same way.
FROM node:22.20.0-bookworm-slim AS inbox
WORKDIR /inbox
COPY inbox/package.json inbox/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY inbox ./
RUN npm run build

# Wheels of what Clarion needs, each checked against its hash, and of Clarion itself.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/base.txt requirements/build.txt requirements/
# Some come as sources: built with the setuptools of our own lock, not with the newest one.
RUN pip install --require-hashes -r requirements/build.txt \
    && pip wheel --no-build-isolation --require-hashes --no-deps --wheel-dir /wheels -r requirements/base.txt
COPY pyproject.toml README.md ./
COPY cli cli
COPY gateway gateway
COPY gen gen
COPY runtime runtime
COPY services services
COPY --from=browser /browser/node_modules gateway/browser/node_modules
COPY --from=console /console/dist gateway/console/dist
COPY --from=inbox /inbox/dist gateway/inbox/dist
RUN pip wheel --no-build-isolation --no-deps --wheel-dir /wheels .
# An environment without pip: nothing is installed into a running container.
RUN python -m venv --without-pip /opt/clarion \
    && pip --python /opt/clarion/bin/python install --no-index --no-deps /wheels/*.whl

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/clarion /opt/clarion
# The folder is there so that a volume mounted on it belongs to this user.
RUN groupadd --gid 10001 clarion \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin clarion \
    && install -d -o clarion -g clarion -m 0750 /etc/clarion
# MALLOC_ARENA_MAX: each thread with an arena of its own costs megabytes that are never used.
ENV PATH=/opt/clarion/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    MALLOC_ARENA_MAX=2
USER 10001:10001
WORKDIR /opt/clarion
STOPSIGNAL SIGTERM
CMD ["clarion", "--help"]
