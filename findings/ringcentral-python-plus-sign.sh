#!/usr/bin/env bash
# RingCentral's Python SDK sends the parameters of a dict without percent-encoding: the plus sign of a phone number, and of
# a time zone, arrives as a space.
#
# Expected: `phoneNumber=%2B16505550100`, as every HTTP client sends it, and the SDK itself where the parameters are pairs.
# Observed: `phoneNumber=+16505550100`. A server that decodes queries as forms reads a space. A value with `&` becomes two
# parameters. `True` and `None` are sent as Python spells them. A list of pairs is encoded; a dict has a path of its own in
# `Client.create_request` (version 0.8.0, pull request 29, made lists of values work). We know of no report.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ringcentral==0.9.2' 'requests==2.34.2'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version
from urllib.parse import parse_qsl, urlsplit

from ringcentral.http.client import Client

asked = {"phoneNumber": "+16505550100", "dateFrom": "2026-11-01T00:00:00+02:00", "unread": True}


def received(parameters):
    address = Client().create_request("GET", "https://example.com/message-store", query_params=parameters).prepare().url
    return dict(parse_qsl(urlsplit(address).query))


as_dict, as_pairs = received(asked), received(list(asked.items()))
print(f"ringcentral {version('ringcentral')}: asked for {asked}")
print(f"a server reads, from a dict:  {as_dict}")
print(f"a server reads, from pairs:   {as_pairs}")
lost = {"phoneNumber": " 16505550100", "dateFrom": "2026-11-01T00:00:00 02:00", "unread": "True"}
sys.exit(0 if as_dict == lost and as_pairs == {**asked, "unread": "True"} else 1)
PYTHON
