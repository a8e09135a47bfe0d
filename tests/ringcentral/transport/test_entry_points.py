"""Tests that credentials are sent only to https origins, or to this machine."""

import pytest

from rc_mcp.ringcentral import InvalidRequest, MessageStoreClient, TokenAuth
from rc_mcp.ringcentral.transport.entry_points import entry_point, media_entry_point


@pytest.mark.parametrize(
    "url",
    [
        "https://platform.ringcentral.com",
        "https://platform.ringcentral.com/",
        "https://rc.example:8443",
        "http://localhost:8080",
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:8000",
        "http://platform.rc-emulator.test",
    ],
)
def test_these_entry_points_are_allowed(url: str):
    assert str(entry_point("server_url", url)).startswith(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.ringcentral.com",
        "http://localhost.example.com",
        "http://test",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "ftp://localhost",
        "platform.ringcentral.com",
        "//platform.ringcentral.com",
        "https://user:password@platform.ringcentral.com",
        "https://platform.ringcentral.com/restapi",
        "https://platform.ringcentral.com?x=1",
        "https://platform.ringcentral.com#x",
        "https://",
        "",
        "http://[",
        "https://rc\n.example",
    ],
)
def test_these_entry_points_are_refused(url: str):
    with pytest.raises(InvalidRequest, match=r"^media_url"):
        MessageStoreClient(TokenAuth("t"), media_url=url)


@pytest.mark.parametrize(
    ("server", "media"),
    [
        ("https://platform.ringcentral.com", "https://media.ringcentral.com"),
        ("https://platform.ringcentral.biz", "https://media.ringcentral.biz"),
        ("https://rc.example:8443", "https://rc.example:8443/"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/"),
    ],
)
def test_media_comes_from_ringcentrals_media_host_or_from_the_server_itself(server: str, media: str):
    assert str(media_entry_point(entry_point("server_url", server))) == media
