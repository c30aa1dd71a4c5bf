# One image for every process; docker-compose.yml and deploy/kubernetes name the commands.
FROM python:3.13-slim

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1

RUN useradd --system --uid 10001 --no-create-home notifier
WORKDIR /app

COPY requirements/server.txt requirements/
RUN pip install -r requirements/server.txt

# The settings (config/) are no part of the package, so it runs from the checkout.
COPY . .
RUN pip install --no-deps --editable .

USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--no-control-socket"]
