#!/usr/bin/env bash
# RingCentral's SDKs on an empty list of conversations: "delete these conversations" becomes "delete all messages".
#
# Expected: an error, or at least an empty `conversationId=`, which a server can refuse.
# Observed: the SDKs for Python and JavaScript, and ringcentral-extensible, all leave the parameter out. What remains is
# DELETE on the whole message store. RingCentral's reference makes `conversationId` optional there, the type `All` and the
# date "now" the defaults. So a filter that matched nothing asks for everything.
#
# Nothing is deleted here: a local server writes down the requests. Exits with 0 while this is so, and with 1 once the
# behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'ringcentral==0.9.2' 'requests==2.34.2'
npm install --silent --no-audit --no-fund @ringcentral/sdk@5.0.11 @rc-ex/core@1.8.6 >/dev/null

cat > javascript.mjs <<'JS'
import { SDK } from "@ringcentral/sdk";
import RingCentral from "@rc-ex/core";

const server = process.argv[2];
const ids = JSON.parse(process.argv[3]);
const platform = new SDK({ server, clientId: "id", clientSecret: "secret" }).platform();
await platform.login({ jwt: "jwt" });
await platform.delete("/restapi/v1.0/account/~/extension/~/message-store", undefined, { conversationId: ids });

const extensible = new RingCentral({ server, clientId: "id", clientSecret: "secret" });
await extensible.authorize({ jwt: "jwt" });
await extensible.restapi().account().extension().messageStore().deleteAll({ conversationId: ids });
JS

cat > record.py <<'PY'
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from ringcentral import SDK

token = {"access_token": "a", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r"}
token |= {"refresh_token_expires_in": 3600, "scope": "", "owner_id": "1", "endpoint_id": "e"}
requests = []


class Recorder(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "DELETE":
            requests.append(self.path.partition("message-store")[2])
        body = json.dumps(token).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


def sent(server, ids):
    requests.clear()
    platform = SDK("id", "secret", server).platform()
    platform.login(jwt="jwt")
    platform.delete("/restapi/v1.0/account/~/extension/~/message-store", query_params={"conversationId": ids})
    subprocess.run(["node", "javascript.mjs", server, json.dumps(ids)], check=True)
    return list(requests)


recorder = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
threading.Thread(target=recorder.serve_forever, daemon=True).start()
server = f"http://127.0.0.1:{recorder.server_port}"
two, none = sent(server, ["1", "2"]), sent(server, [])
print(f"ringcentral {version('ringcentral')}, @ringcentral/sdk 5.0.11, @rc-ex/core 1.8.6: DELETE .../message-store with")
print(f"  conversations 1 and 2: {two}")
print(f"  no conversation:       {none}")
filtered = ["?conversationId=1&conversationId=2"] * 3
sys.exit(0 if two == filtered and [query.strip("?") for query in none] == ["", "", ""] else 1)
PY
venv/bin/python record.py
