# docker build -t wallviz . && docker run --rm -p 8501:8501 wallviz
# BASE is an argument so that the same file builds on a base made at home (deploy/build_without_daemon.sh): any image with
# python3 >= 3.11 and its venv module will do.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/venv
COPY requirements.txt /tmp/
# Compiled here: the user below may not write, and without bytecode a start takes twice as long.
RUN /opt/venv/bin/pip install --compile -r /tmp/requirements.txt && /opt/venv/bin/pip uninstall --yes pip
COPY app.py LICENSE /app/
COPY .streamlit/config.toml /app/.streamlit/
COPY data /app/data
COPY src /app/src
COPY pages /app/pages
RUN /opt/venv/bin/python -m compileall -q /app/src

FROM ${BASE}
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin wallviz
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
# The rest of the configuration is .streamlit/config.toml, the same everywhere.
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app/src PYTHONUNBUFFERED=1 HOME=/home/wallviz \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 STREAMLIT_SERVER_PORT=8501 STREAMLIT_SERVER_HEADLESS=true
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"STREAMLIT_SERVER_PORT\"]}/_stcore/health', timeout=2)"]
CMD ["streamlit", "run", "app.py"]
