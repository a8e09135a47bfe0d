"""The Python client without MCP: over real HTTP, against the emulator.

    python rest_client.py        with its own emulator: no account, no key

It also runs where only rc-mcp-client is installed. For the real service omit server_url and media_url, and log in with
your own app's credentials.
"""

from datetime import UTC, datetime, timedelta

import anyio

from rc_mcp.emulator import Emulator
from rc_mcp.ringcentral import JWTAuth, Message, MessageStoreClient

MAX_BYTES = 1_000_000


async def main() -> None:
    with Emulator() as emulator:
        async with emulator.serve():
            await work_the_mailbox(emulator)


async def work_the_mailbox(ringcentral: Emulator) -> None:
    auth = JWTAuth(ringcentral.server_url, ringcentral.client_id, ringcentral.client_secret, ringcentral.jwt)
    async with MessageStoreClient(auth, server_url=ringcentral.server_url, media_url=ringcentral.media_url) as store:
        voicemail = await newest_unheard_with_transcript(store)
        print(f"Read transcript of {voicemail.id}: {await transcript(store, voicemail)}")

        [marked] = await store.update_message(voicemail.id, "Read")
        check("marked as read", marked.message is not None and marked.message.read_status == "Read")

        # The client has no guard: a second delete would purge.
        [deleted] = await store.delete_message(voicemail.id)
        check("deleted", deleted.ok)
        check("found in Deleted", (await store.read_message(voicemail.id)).availability == "Deleted")

        await store.patch_message(voicemail.id, availability="Alive", read_status="Unread")
        restored = await store.read_message(voicemail.id)
        check("restored, unread", (restored.availability, restored.read_status) == ("Alive", "Unread"))


async def newest_unheard_with_transcript(store: MessageStoreClient) -> Message:
    """List, then read the one in full."""
    last_week = datetime.now(UTC) - timedelta(days=7)
    page = await store.list_messages(message_type=["VoiceMail"], read_status=["Unread"], date_from=last_week)
    print(f"Listed {len(page.records)} unheard voicemails of the last 7 days")
    found = next(m for m in page.records if any(a.type == "AudioTranscription" for a in m.attachments))
    return await store.read_message(found.id)


async def transcript(store: MessageStoreClient, voicemail: Message) -> str:
    attachment = next(a for a in voicemail.attachments if a.type == "AudioTranscription")
    async with store.read_message_content(voicemail.id, attachment.id) as content:
        return (await content.read(MAX_BYTES)).decode()


def check(what: str, holds: bool) -> None:
    if not holds:
        raise RuntimeError(f"Not {what}.")
    print(f"Checked: {what}")


if __name__ == "__main__":
    anyio.run(main)
