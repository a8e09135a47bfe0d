// RingCentral's own JavaScript SDK at work on a mailbox: prints what it saw, as one line of JSON.
// Its argument is what the emulator said of itself when it started.

import { SDK } from '@ringcentral/sdk';

const MAILBOX = '/restapi/v1.0/account/~/extension/~';
const STORE = `${MAILBOX}/message-store`;
const CONFIGURATION = '/restapi/v1.0/account/~/message-store-configuration';

const at = JSON.parse(process.argv[2]);
const sdk = new SDK({ server: at.server_url, clientId: at.client_id, clientSecret: at.client_secret });
const platform = sdk.platform();
const json = async (answer) => (await answer).json();
const seen = {};

const token = await json(platform.login({ jwt: at.jwt }));
const renewed = await json(platform.refresh());
seen.login = { type: token.token_type, renewed: renewed.access_token !== token.access_token };

const page = await json(
    platform.get(STORE, {
        messageType: ['SMS', 'VoiceMail'],
        readStatus: 'Unread',
        dateFrom: at.since,
        perPage: 5,
    }),
);
seen.list = {
    records: page.records.map((record) => [record.type, record.readStatus]),
    perPage: page.paging.perPage,
    next: 'nextPage' in page.navigation,
};
const [first, second] = page.records.map((record) => record.id);
const record = await json(platform.get(`${STORE}/${first}`));
seen.read = [record.id === first, record.availability];

const parts = await sdk.client().multipart(await platform.get(`${STORE}/${first},${second},111`));
seen.bulk_read = await Promise.all(
    parts.map(async (part) => {
        const body = await part.json();
        return [part.status, [first, second].includes(body.id), body.errorCode ?? null];
    }),
);

seen.update = (await json(platform.put(`${STORE}/${first}`, { readStatus: 'Read' }))).readStatus;
seen.patch = (await json(platform.patch(`${STORE}/${first}`, { readStatus: 'Unread' }))).readStatus;

const full = await json(
    platform.get(`${MAILBOX}/message-sync`, { syncType: 'FSync', recordCount: 3, dateFrom: at.since }),
);
const last = full.records.at(-1).id;
seen.delete = (await platform.delete(`${STORE}/${last}`)).status;
const changed = await json(
    platform.get(`${MAILBOX}/message-sync`, { syncType: 'ISync', syncToken: full.syncInfo.syncToken }),
);
const removed = changed.records.filter((change) => change.id === last);
seen.sync = {
    records: full.records.length,
    older: full.syncInfo.olderRecordsExist,
    removed: JSON.stringify(removed) === JSON.stringify([{ id: last, availability: 'Deleted' }]),
};
seen.restore = (await json(platform.patch(`${STORE}/${last}`, { availability: 'Alive' }))).availability;

const voicemails = await json(platform.get(STORE, { messageType: 'VoiceMail', dateFrom: at.since }));
const { uri } = voicemails.records[0].attachments[0];
const part = async (address) => {
    const answer = await platform.get(address, undefined, { headers: { Range: 'bytes=0-9' } });
    const bytes = await answer.arrayBuffer();
    const { headers } = answer;
    return [
        answer.status,
        bytes.byteLength,
        headers.get('content-type'),
        headers.get('content-range').slice(0, 11),
    ];
};
seen.content = { media: await part(uri), platform: await part(uri.replace(at.media_url, at.server_url)) };

const before = await json(platform.get(CONFIGURATION));
const after = await json(platform.put(CONFIGURATION, { retentionPeriod: 45 }));
seen.configuration = [before.retentionPeriod, after.retentionPeriod];

// The SDK puts the wait, in milliseconds, on the error of a 429.
let waitMs = null;
const refused = async (call) => {
    try {
        await call();
        return null;
    } catch (error) {
        waitMs = error.retryAfter ?? null;
        const body = await error.response.clone().json();
        return [error.response.status, body.errorCode, body.parameterName ?? null];
    }
};
seen.not_found = await refused(() => platform.get(`${STORE}/111`));
seen.limited = null;
for (let n = 0; n < 60 && !seen.limited; n++) {
    seen.limited = await refused(() => platform.get(STORE, { perPage: 1 }));
}
seen.retry_after_s = waitMs === null ? null : waitMs / 1000;
seen.logout = (await platform.logout()).status;

console.log(JSON.stringify(seen));
