# A small image that serves Digital DJ: docker build -t digital-dj . && docker run -p 8501:8501 digital-dj
# scripts/image_steps.sh runs the same steps without a container engine.
FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/digital-dj && /opt/digital-dj/bin/pip install --no-cache-dir ".[host]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 dj && mkdir /data && chown dj /data
COPY --from=build /opt/digital-dj /opt/digital-dj
USER dj
WORKDIR /home/dj
ENV DIGITAL_DJ_HOME=/data PATH=/opt/digital-dj/bin:$PATH PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["digital-dj", "serve", "--host", "0.0.0.0", "--port", "8501", "--no-browser"]
