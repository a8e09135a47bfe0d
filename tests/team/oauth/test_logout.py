"""A person logs out of all apps on a page of the server."""

import httpx2 as httpx
import pytest

from rc_mcp.ringcentral import LoginNotKept
from rc_mcp.team.logins import Logins
from rc_mcp.team.oauth.logout import NOT_DONE
from rc_mcp.team.oauth.pages import ENDS_LATER
from rc_mcp.team.people import Person
from tests.team.oauth.site import Browser, McpClient, Site, leads_to

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_a_person_logs_out_of_all_apps_and_nobody_else_does(
    site: Site, client: McpClient, browser: Browser
) -> None:
    await site.log_out(3)
    own, also, other = [await client.logged_in(number) for number in (3, 3, 2)]

    page = await browser.press(await browser.open(f"{site.url}/logout"))
    last = await browser.http.get(leads_to(await after_ringcentral(browser, leads_to(page), 3)))

    assert "2 app logins" in last.text
    assert await site.server.verify_token(own["access_token"]) is None
    assert (await client.refresh(also["refresh_token"])).status_code == 400
    assert await site.server.verify_token(other["access_token"])
    assert (site.sessions(3), site.sessions(2)) == (0, 1)


async def test_the_page_says_if_the_login_at_ringcentral_could_not_be_ended(
    site: Site, client: McpClient, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.log_out(3)
    tokens = await client.logged_in(3)

    async def locked(_: Logins, __: Person) -> None:
        raise LoginNotKept("Another replica has locked this login for a minute.")

    monkeypatch.setattr(Logins, "forget", locked)
    page = await browser.press(await browser.open(f"{site.url}/logout"))
    last = await browser.http.get(leads_to(await after_ringcentral(browser, leads_to(page), 3)))

    assert "1 app login ended." in last.text
    assert ENDS_LATER in last.text
    assert await site.server.verify_token(tokens["access_token"]) is None


async def test_an_answer_of_another_browser_or_a_second_one_logs_nobody_out(
    site: Site, client: McpClient, browser: Browser
) -> None:
    await site.log_out(2)
    tokens = await client.logged_in(3)
    page = await browser.press(await browser.open(f"{site.url}/logout"))
    answer = leads_to(await after_ringcentral(browser, leads_to(page), 2))

    async with site.browser() as victim:
        await victim.open(f"{site.url}/logout")
        stolen = await victim.http.get(answer)
    for address in (f"{site.url}/logout?code=x&state=x", f"{site.url}/logout?error=access_denied"):
        assert NOT_DONE in (await browser.http.get(address)).text
    first, again = await browser.http.get(answer), await browser.http.get(answer)

    assert NOT_DONE in stolen.text
    assert "0 app logins" in first.text
    assert NOT_DONE in again.text
    assert await site.server.verify_token(tokens["access_token"])


async def test_a_form_of_another_site_begins_no_logout(site: Site, browser: Browser) -> None:
    page = await browser.open(f"{site.url}/logout")

    assert (await browser.press(page, origin="https://evil.example")).status_code == 400


async def after_ringcentral(browser: Browser, address: str, number: int) -> httpx.Response:
    return await browser.http.get(await browser.back_from_ringcentral(address, number))
