#!/usr/bin/env bash
# RingCentral's JavaScript SDK sends an array as the text "[object Object],[object Object]".
#
# Expected: JSON, as for an object. RingCentral's reference defines arrays as bodies: of ids for a bulk delete, and of
# `{body: {readStatus}}` for a bulk update or patch.
# Observed: only plain objects become JSON. An array of objects loses everything, and an array of ids becomes `1,2`. Both
# are labelled text/plain. A body of JSON text that the caller made is sent as it is, but needs the caller's Content-Type.
# ringcentral-extensible (@rc-ex/core) sends arrays as JSON.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @ringcentral/sdk@5.0.11 >/dev/null

cat > body.mjs <<'JS'
import { SDK } from "@ringcentral/sdk";

const client = new SDK({ server: "http://127.0.0.1", clientId: "id", clientSecret: "secret" }).client();
const sent = async (body) => {
  const request = client.createRequest({ url: "http://127.0.0.1/", method: "PUT", body });
  const type = request.headers.get("content-type");
  return `${type.split(";")[0]}: ${await request.text()}`;
};
const seen = [
  await sent({ readStatus: "Read" }),
  await sent([{ body: { readStatus: "Read" } }, { body: { readStatus: "Unread" } }]),
  await sent(["1", "2"]),
];
console.log(`@ringcentral/sdk 5.0.11, node ${process.version}:\n  ${seen.join("\n  ")}`);
const known = ['application/json: {"readStatus":"Read"}', "text/plain: [object Object],[object Object]", "text/plain: 1,2"];
process.exit(JSON.stringify(seen) === JSON.stringify(known) ? 0 : 1);
JS
node body.mjs
