# rc-mcp over HTTP, for unattended work: docs/how-to/run-in-a-container.md
FROM python:3.13-slim AS build
WORKDIR /build
# The lock file has every hash, so that nothing unpinned is fetched. For a team: requirements-team.lock
# (docs/how-to/run-for-a-team.md).
ARG LOCK=requirements.lock
COPY requirements.lock requirements-team.lock ./
RUN python -m venv /opt/rc-mcp && \
    /opt/rc-mcp/bin/pip install --no-cache-dir --require-hashes -r "$LOCK"
COPY pyproject.toml README.md LICENSE ./
COPY prompts prompts
COPY rc_mcp rc_mcp
RUN /opt/rc-mcp/bin/pip install --no-cache-dir --no-deps --no-build-isolation . && \
    /opt/rc-mcp/bin/pip uninstall --yes hatchling editables pip

FROM python:3.13-slim
COPY --from=build /opt/rc-mcp /opt/rc-mcp
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin rc-mcp && \
    install --directory --owner=rc-mcp --mode=0700 /state
ENV PATH=/opt/rc-mcp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    RC_MCP_ACCESS=delete \
    RC_MCP_STATE_DIR=/state \
    RC_MCP_DOWNLOAD_DIR=/state/downloads
USER 10001
WORKDIR /state
VOLUME /state
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from http.client import HTTPConnection as To; to = To('127.0.0.1', 8000, timeout=3); to.request('GET', '/health'); exit(to.getresponse().status != 200)"]
ENTRYPOINT ["rc-mcp"]
# Any client that reaches the port could use the mailbox, so the server does not start without RC_MCP_HTTP_TOKEN.
CMD ["serve", "--http", "--host", "0.0.0.0", "--port", "8000"]
