#!/usr/bin/env bash
# OpenTelemetry's Prometheus exporter for Python and Prometheus: of two series that differ for the SDK, one is lost.
#
# Expected: the counts of `status=200` and of `status="200"` are added up, or both are there, or the scrape fails. The same
# for `http.method` and `http_method`. Of two attributes with the same label in one set, OpenTelemetry joins the values.
# Observed: the SDK keeps a series for each attribute set, with its types. The exporter makes text of every value, and `_` of
# every dot, so it writes the same series twice with different numbers. Prometheus keeps the first at each scrape and drops
# the others; `up` is 1. Its log is silent before 2.52, and has a number without a name since (pull request 12933). Here it
# has 1 of 101 requests, and 10 of 1,010. The first is the one that the process counted first, so a restart can change it.
# With GET and PUT under both names in one set, only PUT is left. A metric needs its attributes made in one place, with one
# type. Issue 4868 of the SDK is about repeated HELP lines of the exporter; of repeated series we know of no report.
#
# Prometheus is Debian 12's package, unpacked and not installed. Exits with 0 while this is so, and with 1 once the behavior
# changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check opentelemetry-exporter-prometheus==0.66b2 opentelemetry-sdk==1.45.2 \
    2>errors.txt || { cat errors.txt >&2; exit 1; }
apt-get download -qq prometheus=2.42.0+ds-5+deb12u1 2>errors.txt || { cat errors.txt >&2; exit 1; }
dpkg-deb -x prometheus_*.deb debian

cat > counts.py <<'PY'
import json
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

requests = MeterProvider([PrometheusMetricReader(scope_info_enabled=False)]).get_meter("server").create_counter("requests")
for number, attributes in (
    (1, {"status": 200}),
    (100, {"status": "200"}),
    (10, {"http.method": "GET"}),
    (1000, {"http_method": "GET"}),
    (5, {"http.method": "GET", "http_method": "PUT"}),
):
    requests.add(number, attributes)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def counted(query: str) -> list[float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}", timeout=5) as answer:
        return sorted(float(series["value"][1]) for series in json.load(answer)["data"]["result"])


exporter, port = free_port(), free_port()
start_http_server(exporter, addr="127.0.0.1")
with urllib.request.urlopen(f"http://127.0.0.1:{exporter}/metrics", timeout=5) as answer:
    shown = [line for line in answer.read().decode().splitlines() if line.startswith("requests_total")]
job = {"job_name": "server", "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]}
Path("prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
files = ["--config.file=prometheus.yml", "--storage.tsdb.path=data"]
command = ["debian/usr/bin/prometheus", *files, f"--web.listen-address=127.0.0.1:{port}"]
stored, up = [], []
with open("log.txt", "w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
    for _ in range(40):
        time.sleep(0.5)
        try:
            stored, up = counted("requests_total"), counted("up")
        except OSError:
            continue
        if stored and up:
            break
    process.terminate()
warned = "different value" in Path("log.txt").read_text()
print(f"opentelemetry-exporter-prometheus {version('opentelemetry-exporter-prometheus')}, Prometheus 2.42.0")
print("exported:", *shown, sep="\n  ")
print("Prometheus has:", stored, "| up:", up, "| warned:", warned)
sys.exit(0 if len(shown) == 5 and stored == [1, 5, 10] and up == [1] and not warned else 1)
PY
venv/bin/python counts.py
