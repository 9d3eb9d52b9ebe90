# The image of every Airflow service in docker-compose.yaml: locked packages, our code, the DAG files.
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY locks/bootstrap.txt locks/production.txt locks/
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --requirement locks/bootstrap.txt \
 && /opt/venv/bin/uv pip install --no-cache --python /opt/venv/bin/python --compile-bytecode \
      --require-hashes --requirement locks/production.txt
COPY pyproject.toml README.md LICENSE ./
COPY include/ include/
RUN /opt/venv/bin/uv pip install --no-cache --python /opt/venv/bin/python --compile-bytecode \
      --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/data-sync/home \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/data-sync/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/data-sync/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/opt/data-sync/logs \
    AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY=/opt/data-sync/logs/dag_processor
# git fetches the commits of a git bundle (docs/git.md).
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
# The folders that volumes are mounted on exist beforehand, so that the volumes belong to this user.
RUN useradd --uid 10001 --no-create-home --home-dir /opt/data-sync/home data-sync \
 && mkdir -p /opt/data-sync/home/data_sync /opt/data-sync/logs \
 && chown -R data-sync:data-sync /opt/data-sync/home /opt/data-sync/logs
WORKDIR /opt/data-sync
COPY --from=build /opt/venv /opt/venv
COPY config/ config/
COPY dags/ dags/
COPY plugins/ plugins/
USER 10001
CMD ["airflow", "version"]
