"""The token endpoint, and the answers to requests with a missing, invalid or expired token."""

from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Emulator
from tests.emulator.conftest import JWT_GRANT, MAILBOX

pytestmark = pytest.mark.anyio


async def ask_token(web: httpx.AsyncClient, emulator: Emulator, **form: str) -> httpx.Response:
    fields = {"grant_type": JWT_GRANT, "assertion": emulator.jwt, **form}
    auth = (emulator.client_id, emulator.client_secret)
    return await web.post(f"{emulator.server_url}/restapi/oauth/token", data=fields, auth=auth)


async def refresh(web: httpx.AsyncClient, emulator: Emulator, token: str, **form: str) -> httpx.Response:
    return await ask_token(web, emulator, grant_type="refresh_token", refresh_token=token, **form)


async def use(web: httpx.AsyncClient, emulator: Emulator, token: str) -> httpx.Response:
    url = f"{emulator.server_url}{MAILBOX}message-store"
    return await web.get(url, headers={"Authorization": f"Bearer {token}"})


def codes(answer: httpx.Response) -> tuple[int, str, str]:
    body: dict[str, Any] = answer.json()
    return answer.status_code, body["errorCode"], body["errors"][0]["errorCode"]


async def test_a_jwt_is_exchanged_for_a_token_that_works(web: httpx.AsyncClient, emulator: Emulator) -> None:
    answer = await ask_token(web, emulator)
    token = answer.json()
    assert answer.status_code == 200
    assert (token["token_type"], token["expires_in"], token["owner_id"]) == ("bearer", 3600, emulator.extension_id)
    assert "ReadMessages" in token["scope"].split()
    assert (await use(web, emulator, token["access_token"])).status_code == 200


async def test_a_requested_lifetime_is_limited(web: httpx.AsyncClient, emulator: Emulator) -> None:
    for asked, given in {"600": 600, "599": 600, "1800": 1800, "7200": 3600, "-1": 600}.items():
        assert (await ask_token(web, emulator, access_token_ttl=asked)).json()["expires_in"] == given
    for asked, given in {"60": 60, "2592000": 2_592_000, "2592001": 604_800}.items():
        assert (await ask_token(web, emulator, refresh_token_ttl=asked)).json()["refresh_token_expires_in"] == given
    for wrong in ("an hour", "", "1e3", "9" * 11):
        refused = await ask_token(web, emulator, access_token_ttl=wrong)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


async def test_an_unknown_grant_is_refused(web: httpx.AsyncClient, emulator: Emulator) -> None:
    refused = await ask_token(web, emulator, grant_type="password")
    assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_grant_type")


async def test_a_wrong_secret_is_an_invalid_client(web: httpx.AsyncClient, emulator: Emulator) -> None:
    url = f"{emulator.server_url}/restapi/oauth/token"
    form = {"grant_type": JWT_GRANT, "assertion": emulator.jwt}
    refused = await web.post(url, data=form, auth=(emulator.client_id, "wrong"))
    assert codes(refused) == (401, "OAU-146", "OAU-146")
    assert refused.json()["error"] == "invalid_client"


async def test_a_jwt_login_accepts_the_secret_in_header_or_form(web: httpx.AsyncClient, emulator: Emulator) -> None:
    url = f"{emulator.server_url}/restapi/oauth/token"
    form = {"grant_type": JWT_GRANT, "assertion": emulator.jwt, "client_id": emulator.client_id}
    assert (await web.post(url, data=form)).status_code == 401
    form["client_secret"] = emulator.client_secret
    assert (await web.post(url, data=form)).status_code == 200


async def test_the_token_endpoint_accepts_only_forms(web: httpx.AsyncClient, emulator: Emulator) -> None:
    refused = await web.post(f"{emulator.server_url}/restapi/oauth/token", json={"grant_type": JWT_GRANT})
    assert refused.status_code == 415


async def test_a_request_without_a_token_is_refused(web: httpx.AsyncClient, emulator: Emulator) -> None:
    url = f"{emulator.server_url}{MAILBOX}message-store"
    answer = await web.get(url)
    assert codes(answer) == (401, "AGW-401", "AGW-401")
    assert "x-rate-limit-group" not in answer.headers
    assert codes(await web.get(url, headers={"Authorization": "Token x"})) == (401, "AGW-402", "AGW-402")


async def test_a_made_up_token_is_invalid(web: httpx.AsyncClient, emulator: Emulator) -> None:
    assert codes(await use(web, emulator, "nonsense")) == (401, "TokenInvalid", "OAU-149")


async def test_a_token_may_come_in_the_query(web: httpx.AsyncClient, emulator: Emulator) -> None:
    token = (await ask_token(web, emulator)).json()["access_token"]
    url = f"{emulator.server_url}{MAILBOX}message-store"
    answer = await web.get(url, params={"access_token": token})
    assert answer.status_code == 200
    assert token not in answer.text


async def test_a_token_expires_by_the_clock(web: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]) -> None:
    token = (await ask_token(web, emulator)).json()["access_token"]
    clock[0] += timedelta(seconds=3599)
    assert (await use(web, emulator, token)).status_code == 200
    clock[0] += timedelta(seconds=1)
    assert codes(await use(web, emulator, token)) == (401, "TokenInvalid", "OAU-128")


async def test_a_sixth_login_ends_the_first(web: httpx.AsyncClient, emulator: Emulator) -> None:
    tokens = [(await ask_token(web, emulator)).json()["access_token"] for _ in range(6)]
    answers = [(await use(web, emulator, token)).status_code for token in tokens]
    assert answers == [401, 200, 200, 200, 200, 200]


async def test_refreshing_replaces_both_tokens_at_once(web: httpx.AsyncClient, emulator: Emulator) -> None:
    old = (await ask_token(web, emulator)).json()
    new = (await refresh(web, emulator, old["refresh_token"])).json()
    assert new["access_token"] != old["access_token"]
    assert (await use(web, emulator, new["access_token"])).status_code == 200
    assert codes(await use(web, emulator, old["access_token"])) == (401, "TokenInvalid", "OAU-129")


async def test_an_access_token_replaced_by_a_refresh_soon_becomes_unknown(
    web: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    old = (await ask_token(web, emulator)).json()
    await refresh(web, emulator, old["refresh_token"])
    clock[0] += timedelta(seconds=10)
    assert codes(await use(web, emulator, old["access_token"])) == (401, "TokenInvalid", "OAU-213")


async def test_a_refresh_sets_its_own_lifetimes(web: httpx.AsyncClient, emulator: Emulator) -> None:
    old = (await ask_token(web, emulator, access_token_ttl="600", refresh_token_ttl="60")).json()
    new = (await refresh(web, emulator, old["refresh_token"], access_token_ttl="900")).json()
    assert (new["expires_in"], new["refresh_token_expires_in"]) == (900, 604_800)
    assert (await refresh(web, emulator, new["refresh_token"])).json()["expires_in"] == 3600


async def test_a_refresh_token_expires_by_the_clock(
    web: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    token = (await ask_token(web, emulator, refresh_token_ttl="7200")).json()["refresh_token"]
    clock[0] += timedelta(seconds=7200)
    assert codes(await refresh(web, emulator, token)) == (400, "OAU-213", "OAU-213")


async def test_a_client_can_decline_a_refresh_token(web: httpx.AsyncClient, emulator: Emulator) -> None:
    for asked in ("0", "-1"):
        token = (await ask_token(web, emulator, refresh_token_ttl=asked)).json()
        assert {"refresh_token", "refresh_token_expires_in"}.isdisjoint(token)
        assert (await use(web, emulator, token["access_token"])).status_code == 200
    for nothing in ("", "None"):
        assert codes(await refresh(web, emulator, nothing)) == (400, "OAU-213", "OAU-213")


async def test_an_endpoint_id_is_kept_or_generated(web: httpx.AsyncClient, emulator: Emulator) -> None:
    given = (await ask_token(web, emulator, endpoint_id="desk-7")).json()
    assert given["endpoint_id"] == "desk-7"
    assert (await refresh(web, emulator, given["refresh_token"])).json()["endpoint_id"] == "desk-7"
    made_up = (await ask_token(web, emulator)).json()
    assert made_up["endpoint_id"]
    assert (await refresh(web, emulator, made_up["refresh_token"])).json()["endpoint_id"] == made_up["endpoint_id"]


async def test_the_remaining_lifetimes_are_given_during_the_grace_period(
    web: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    old = (await ask_token(web, emulator)).json()
    await refresh(web, emulator, old["refresh_token"])
    clock[0] += timedelta(minutes=10)
    again = (await refresh(web, emulator, old["refresh_token"])).json()
    assert (again["expires_in"], again["refresh_token_expires_in"]) == (3000, 604_200)


async def test_a_client_assertion_is_refused_by_name(web: httpx.AsyncClient, emulator: Emulator) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    refused = await ask_token(web, emulator, client_assertion="a.b.c", client_assertion_type=kind)
    assert codes(refused) == (400, "OAU-116", "OAU-116")
    assert refused.json()["error"] == "invalid_client"
    assert "client_assertion" in refused.json()["error_description"]


async def test_a_wrong_jwt_is_an_error_with_the_fields_of_oauth_and_of_ringcentral(
    web: httpx.AsyncClient, emulator: Emulator
) -> None:
    refused = await ask_token(web, emulator, assertion="not.the.jwt")
    message = "Invalid resource owner credentials"
    assert refused.status_code == 400
    assert refused.json() == {
        "error": "invalid_grant",
        "error_description": message,
        "errorCode": "OAU-140",
        "message": message,
        "errors": [{"errorCode": "OAU-140", "message": message}],
    }


async def test_an_old_refresh_token_gives_the_same_new_pair_during_a_grace_period(
    web: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    old = (await ask_token(web, emulator)).json()
    new = (await refresh(web, emulator, old["refresh_token"])).json()
    clock[0] += timedelta(minutes=50)
    again = (await refresh(web, emulator, old["refresh_token"])).json()
    assert again["access_token"] == new["access_token"]
    await use(web, emulator, new["access_token"])
    clock[0] += timedelta(seconds=11)
    assert codes(await refresh(web, emulator, old["refresh_token"])) == (400, "OAU-213", "OAU-213")


async def test_revoking_ends_the_whole_session(web: httpx.AsyncClient, emulator: Emulator) -> None:
    token = (await ask_token(web, emulator)).json()
    auth = (emulator.client_id, emulator.client_secret)
    url = f"{emulator.server_url}/restapi/oauth/revoke"
    for _ in range(2):
        answer = await web.post(url, data={"token": token["refresh_token"]}, auth=auth)
        assert answer.status_code == 200
    assert codes(await use(web, emulator, token["access_token"])) == (401, "TokenInvalid", "OAU-213")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("place", ["body", "query"])
async def test_any_token_of_a_session_revokes_all_of_it(
    web: httpx.AsyncClient, emulator: Emulator, kind: str, place: str
) -> None:
    auth, url = (emulator.client_id, emulator.client_secret), f"{emulator.server_url}/restapi/oauth/revoke"
    old = (await ask_token(web, emulator)).json()
    new = (await refresh(web, emulator, old["refresh_token"])).json()
    # Already replaced: a client that lost the answer to its refresh has only these tokens.
    given = {"token": old[kind]}
    answer = await (web.post(url, data=given, auth=auth) if place == "body" else web.post(url, params=given, auth=auth))
    assert (answer.status_code, answer.content) == (200, b"")
    assert codes(await use(web, emulator, new["access_token"])) == (401, "TokenInvalid", "OAU-213")
    assert codes(await refresh(web, emulator, new["refresh_token"])) == (400, "OAU-213", "OAU-213")


async def test_revoking_is_an_error_only_without_a_token_or_an_app(web: httpx.AsyncClient, emulator: Emulator) -> None:
    auth, url = (emulator.client_id, emulator.client_secret), f"{emulator.server_url}/restapi/oauth/revoke"
    for token in ("nonsense", "U0pDMTFQMDFQQVMwM"):
        assert (await web.post(url, data={"token": token}, auth=auth)).status_code == 200
    assert codes(await web.post(url, data={"token": ""}, auth=auth)) == (400, "CMN-101", "CMN-101")
    assert codes(await web.post(url, auth=auth)) == (400, "CMN-101", "CMN-101")
    assert codes(await web.post(url, data={"token": "x"})) == (401, "OAU-146", "OAU-146")


async def test_all_sessions_can_be_ended_from_outside(web: httpx.AsyncClient, emulator: Emulator) -> None:
    token = (await ask_token(web, emulator)).json()["access_token"]
    emulator.sessions.end_all()
    assert (await use(web, emulator, token)).status_code == 401
