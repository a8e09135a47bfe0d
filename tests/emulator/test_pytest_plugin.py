"""The pytest plugin, as another project would use it."""

from inspect import Parameter, signature

import pytest

from rc_mcp.emulator import Emulator

pytest_plugins = ["pytester"]

ENABLED = 'pytest_plugins = ["rc_mcp.emulator.pytest_plugin"]\n'
HELPERS = """
import httpx2 as httpx
import pytest
from rc_mcp.emulator import Draft, Party

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
HELLO = Draft(type="SMS", sender=Party(phone_number="+15035550111"), text="Hello")

def headers(ringcentral):
    url, login = f"{ringcentral.server_url}/restapi/oauth/token", (ringcentral.client_id, ringcentral.client_secret)
    answer = httpx.post(url, data={"grant_type": GRANT, "assertion": ringcentral.jwt}, auth=login)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project that enables the plugin and in which warnings are errors."""
    pytester.makeconftest(ENABLED)
    pytester.makeini("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    return pytester


def passes(project: pytest.Pytester, tests: str, count: int) -> None:
    project.makepyfile(HELPERS + tests)
    result = project.runpytest_subprocess("-q")
    result.assert_outcomes(passed=count)


def test_sync_and_async_tests_reach_it_over_http_and_read_its_mailbox(project: pytest.Pytester) -> None:
    passes(
        project,
        """
def test_sync(ringcentral):
    answer = httpx.get(ringcentral.server_url + STORE, headers=headers(ringcentral))
    assert [record["id"] for record in answer.json()["records"]][0] == ringcentral.messages()[0]["id"]
    assert [request.status for request in ringcentral.requests] == [200, 200]

@pytest.mark.anyio
async def test_async(ringcentral, anyio_backend_name):
    added = ringcentral.add(HELLO)
    async with httpx.AsyncClient(base_url=ringcentral.server_url, headers=headers(ringcentral)) as client:
        assert (await client.delete(f"{STORE}/{added['id']}")).status_code == 204
        text = await client.get(added["attachments"][0]["uri"])
    assert added["attachments"][0]["uri"].startswith(ringcentral.media_url)
    assert text.text == "Hello"
    assert ringcentral.message(added["id"])["availability"] == "Deleted"

@pytest.fixture
def anyio_backend():
    return "asyncio"
""",
        count=2,
    )


def test_every_test_has_a_separate_emulator_with_the_options_of_its_mark(project: pytest.Pytester) -> None:
    passes(
        project,
        """
pytestmark = pytest.mark.ringcentral(scenario="empty", rate_limits=False)

@pytest.mark.parametrize("time", ["first", "second"])
def test_an_empty_mailbox_without_limits(ringcentral, time):
    ringcentral.add(HELLO)
    answer = httpx.get(ringcentral.server_url + STORE, headers=headers(ringcentral))
    assert len(answer.json()["records"]) == 1
    assert "x-rate-limit-limit" not in answer.headers

@pytest.mark.ringcentral(messages=3, scenario="empty")
def test_the_nearest_mark_counts(ringcentral):
    assert len(ringcentral.messages()) == 3
    answer = httpx.get(ringcentral.server_url + STORE, headers=headers(ringcentral))
    assert answer.headers["x-rate-limit-limit"] == "50"
""",
        count=3,
    )


def test_an_error_in_a_function_that_the_emulator_runs_reaches_the_test(project: pytest.Pytester) -> None:
    passes(
        project,
        """
def test_error(ringcentral):
    with pytest.raises(ZeroDivisionError):
        ringcentral.do(lambda emulator: 1 / 0)
    assert ringcentral.do(lambda emulator: emulator.server_url) == ringcentral.server_url
""",
        count=1,
    )


def test_without_the_plugin_nothing_is_loaded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\n\ndef test_absent():\n    assert 'rc_mcp' not in sys.modules\n")
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "named"),
    [
        ('"empty"', "scenario="),
        ("False, messages=3", "scenario="),
        ('senario="empty"', "scenario"),
        ('scenario="emtpy"', "empty"),
        ("scenario=None", "empty"),
    ],
)
def test_a_wrong_mark_is_refused_with_what_it_can_be(project: pytest.Pytester, mark: str, named: str) -> None:
    project.makepyfile(
        HELPERS + f"\n@pytest.mark.ringcentral({mark})\ndef test_never(ringcentral):\n    print('it ran')\n"
    )
    result = project.runpytest_subprocess("-q", "--tb=line")
    result.assert_outcomes(errors=1)
    assert named in next(line for line in result.outlines if "Error" in line)


def test_every_option_of_the_emulator_can_be_in_a_mark(project: pytest.Pytester) -> None:
    options = [one.name for one in signature(Emulator).parameters.values() if one.default is not Parameter.empty]
    defaults = {name: signature(Emulator).parameters[name].default for name in options if name != "now"}
    passes(
        project,
        f"""
@pytest.mark.ringcentral(**{defaults!r})
def test_the_defaults(ringcentral):
    assert ringcentral.messages()
""",
        count=1,
    )
