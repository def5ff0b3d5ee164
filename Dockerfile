# fesnet with its face models: works without a network once it is built. See docs/install.md.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE.md ./
COPY src ./src
RUN python -m venv /opt/fesnet \
 && /opt/fesnet/bin/pip install --no-cache-dir --disable-pip-version-check . 'fastapi>=0.115' 'uvicorn>=0.30'
ENV FESNET_CACHE=/opt/fesnet/models
RUN /opt/fesnet/bin/fesnet models import && /opt/fesnet/bin/fesnet doctor

FROM python:3.12-slim
COPY --from=build /opt/fesnet /opt/fesnet
ENV PATH=/opt/fesnet/bin:$PATH FESNET_CACHE=/opt/fesnet/models HOME=/tmp
WORKDIR /data
USER 1000
ENTRYPOINT ["fesnet"]
CMD ["--help"]
