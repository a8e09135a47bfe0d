#!/usr/bin/env bash
# RingCentral's JavaScript SDK on a 429 whose Retry-After is a date: it sends the request again at once.
#
# Expected: it waits until the date, or the 60 seconds that it takes without the header. HTTP allows a date as well as a
# number of seconds, and a proxy or gateway before the service may send one.
# Observed: `parseFloat` of the date is not a number, and a timer of NaN milliseconds ends immediately. So `handleRateLimit`,
# which should relieve the service, adds a request. It is one retry, also of a POST or DELETE. The error's `retryAfter`,
# for those who handle it themselves, is NaN too. Seconds work. We know of no report.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @ringcentral/sdk@5.0.11 >/dev/null

cat > wait.mjs <<'JS'
import http from "node:http";
import { once } from "node:events";
import { SDK } from "@ringcentral/sdk";

const token = { access_token: "a", token_type: "bearer", expires_in: 3600, refresh_token: "r", refresh_token_expires_in: 3600 };
let retryAfter;
let times = [];
const service = http.createServer((request, response) => {
  request.resume();
  response.setHeader("content-type", "application/json");
  if (!request.url.endsWith("/token") && times.push(performance.now()) === 1) {
    response.statusCode = 429;
    response.setHeader("retry-after", retryAfter());
  }
  response.end(JSON.stringify(token));
});
await once(service.listen(0, "127.0.0.1"), "listening");

const server = `http://127.0.0.1:${service.address().port}`;
const platform = new SDK({ server, clientId: "id", clientSecret: "secret", handleRateLimit: true }).platform();
await platform.login({ jwt: "jwt" });
const seen = {};
for (const [name, header] of [["seconds", () => "2"], ["date", () => new Date(Date.now() + 5000).toUTCString()]]) {
  [retryAfter, times] = [header, []];
  await platform.get("/restapi/v1.0/account/~/extension/~/message-store");
  seen[name] = times[1] - times[0];
  console.log(`@ringcentral/sdk 5.0.11, Retry-After "${header()}": waited ${(seen[name] / 1000).toFixed(1)} s`);
}
process.exit(seen.seconds > 1900 && seen.date < 1000 ? 0 : 1);
JS
node wait.mjs
