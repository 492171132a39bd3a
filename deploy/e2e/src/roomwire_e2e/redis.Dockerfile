# Stands in for the chart's Redis on a cluster without a network: Debian's, with the same commands.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim
FROM ${PYTHON_IMAGE}
RUN apt-get update -q && apt-get install -q -y --no-install-recommends redis-server redis-tools
