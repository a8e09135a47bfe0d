// RingCentral's generated JavaScript client at work on a mailbox: prints what it saw, as one line of JSON.
// Its argument is what the emulator said of itself when it started.

import RingCentral from '@rc-ex/core';

const MULTIPART_JSON = 'application/vnd.ringcentral.multipart+json';

const at = JSON.parse(process.argv[2]);
const rc = new RingCentral({ server: at.server_url, clientId: at.client_id, clientSecret: at.client_secret });
const account = rc.restapi().account();
const mailbox = account.extension();
const seen = {};

const token = await rc.authorize({ jwt: at.jwt });
const renewed = await rc.refresh();
seen.login = { type: token.token_type, renewed: renewed.access_token !== token.access_token };

const page = await mailbox.messageStore().list({
    messageType: ['SMS', 'VoiceMail'],
    readStatus: ['Unread'],
    dateFrom: at.since,
    perPage: 5,
});
seen.list = {
    records: page.records.map((record) => [record.type, record.readStatus]),
    perPage: page.paging.perPage,
    next: 'nextPage' in page.navigation,
};
const [first, second] = page.records.map((record) => record.id);
const record = await mailbox.messageStore(`${first}`).get();
seen.read = [record.id === first, record.availability];

// It cannot take multipart/mixed apart, but it reads the other form as the JSON it is.
const parts = await mailbox
    .messageStore(`${first},${second},111`)
    .get({ headers: { Accept: MULTIPART_JSON } });
seen.bulk_read = parts.map(({ status, body }) => [
    status,
    [first, second].includes(body.id),
    body.errorCode ?? null,
]);

seen.update = (await mailbox.messageStore(`${first}`).put({ readStatus: 'Read' })).readStatus;
seen.patch = (await mailbox.messageStore(`${first}`).patch({ readStatus: 'Unread' })).readStatus;

const full = await mailbox.messageSync().get({ syncType: 'FSync', recordCount: 3, dateFrom: at.since });
const last = full.records.at(-1).id;
// Its own call gives no status; an answer without a body comes out as an empty string.
seen.delete = (await mailbox.messageStore(`${last}`).delete()) === '' ? 204 : null;
const changed = await mailbox.messageSync().get({ syncType: 'ISync', syncToken: full.syncInfo.syncToken });
const removed = changed.records.filter((change) => change.id === last);
seen.sync = {
    records: full.records.length,
    older: full.syncInfo.olderRecordsExist,
    removed: JSON.stringify(removed) === JSON.stringify([{ id: last, availability: 'Deleted' }]),
};
seen.restore = (await mailbox.messageStore(`${last}`).patch({ availability: 'Alive' })).availability;

const voicemails = await mailbox.messageStore().list({ messageType: ['VoiceMail'], dateFrom: at.since });
const [attachment] = voicemails.records[0].attachments;
const range = { headers: { Range: 'bytes=0-9' } };
const part = ({ status, data, headers }) => [
    status,
    data.byteLength,
    headers['content-type'],
    headers['content-range'].slice(0, 11),
];
// The generated call for content goes to the platform, whatever the attachment's own address says.
const content = mailbox.messageStore(`${voicemails.records[0].id}`).content(`${attachment.id}`);
const generated = await content.get(undefined, range);
const plain = await rc.get(content.path(), undefined, { ...range, responseType: 'arraybuffer' });
if (Buffer.compare(Buffer.from(generated), Buffer.from(plain.data)) !== 0) throw new Error('two contents');
seen.content = {
    media: part(await rc.get(attachment.uri, undefined, { ...range, responseType: 'arraybuffer' })),
    platform: part(plain),
};

const before = await account.messageStoreConfiguration().get();
const after = await account.messageStoreConfiguration().put({ retentionPeriod: 45 });
seen.configuration = [before.retentionPeriod, after.retentionPeriod];

let retryAfter = null;
const refused = async (call) => {
    try {
        await call();
        return null;
    } catch (error) {
        const { status, data, headers } = error.response;
        retryAfter = headers['retry-after'] ?? null;
        return [status, data.errorCode, data.parameterName ?? null];
    }
};
seen.not_found = await refused(() => mailbox.messageStore('111').get());
seen.limited = null;
for (let n = 0; n < 60 && !seen.limited; n++) {
    seen.limited = await refused(() => mailbox.messageStore().list({ perPage: 1 }));
}
seen.retry_after_s = retryAfter === null ? null : Number(retryAfter);
// Says nothing when it went well, and forgets the token.
await rc.revoke();
seen.logout = rc.token === undefined ? 200 : null;

console.log(JSON.stringify(seen));
