// RingCentral's client of 2017 at work on a mailbox: prints what it saw, as one line of JSON. It knows no JWT, so a
// token is put in by hand. Its argument is the emulator's startup output, with a token.

import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const SDK = require('ringcentral');
const { Client } = require('ringcentral-client');

const at = JSON.parse(process.argv[2]);
const sdk = new SDK({ server: at.server_url, appKey: at.client_id, appSecret: at.client_secret });
await sdk.platform().auth().setData(at.token);
const account = new Client(sdk).account();
const mailbox = account.extension();
const seen = {};

const own = await mailbox.get();
seen.extension = [String(own.id) === at.extension_id, own.extensionNumber];
const page = await mailbox.messageStore().list({ dateFrom: at.since, perPage: 5 });
seen.list = [page.records.length, page.paging.perPage, 'nextPage' in page.navigation];
const [first, second, third] = page.records.map((record) => record.id);
seen.read = (await mailbox.messageStore(first).get()).id === first;
seen.update = (await mailbox.messageStore(first).put({ readStatus: 'Unread' })).readStatus;
const parts = (await sdk.platform().get(`/account/~/extension/~/message-store/${first},${second}`)).multipart();
seen.bulk_read = parts.map((part) => [part.response().status, [first, second].includes(part.json().id)]);
await mailbox.messageStore(third).delete();
seen.removed = (await mailbox.messageStore(third).get()).availability;
seen.kept = (await mailbox.messageStore(first).get()).availability;
const refused = await mailbox.messageStore(111).get().catch((error) => error);
seen.refused = [refused.apiResponse.response().status, refused.apiResponse.json().errors[0].errorCode];
const before = at.token.access_token;
await sdk.platform().refresh();
seen.renewed = (await sdk.platform().auth().data()).access_token !== before;
seen.logout = (await sdk.platform().logout()).response().status;
process.stdout.write(JSON.stringify(seen));
