"""The policy of a tenant: which one counts, and from when."""

import anyio
import pytest

from rc_mcp.guard.policy.policy_file import parse_policy
from rc_mcp.guard.policy.rules import NO_POLICY
from rc_mcp.team.database import Database
from rc_mcp.team.operators import Operators
from rc_mcp.team.people import admit
from rc_mcp.team.policies import TenantPolicies
from rc_mcp.team.sessions import NoSession
from rc_mcp.team.tenant_state import GuardDatabase
from tests.desk import call
from tests.team.replicas import team

pytestmark = [pytest.mark.anyio, pytest.mark.process]

DRY_RUN = "dry_run = true\n"


async def set_policy(database: Database, account_id: str, text: str | None) -> None:
    """Set it without the checks that operators' ways have."""
    async with database.transaction() as db:
        await db.execute("UPDATE tenant SET policy = %s WHERE account_id = %s", (text, account_id))


async def test_the_policy_of_the_file_counts_for_tenants_without_their_own(database: Database) -> None:
    default = parse_policy('[protected]\nnames = ["Courthouse"]\n', "file")
    policies = TenantPolicies(database, default)
    with_own = await admit(database, "https://rc.test", "401", "501")
    without = await admit(database, "https://rc.test", "402", "502")
    await set_policy(database, "401", DRY_RUN)

    async with policies.used_by(with_own) as own, policies.used_by(without) as other:
        assert own.dry_run
        assert not own.protects_anybody
        assert other is default


async def test_a_policy_that_cannot_be_used_gives_no_session(database: Database) -> None:
    person = await admit(database, "https://rc.test", "401", "501")
    await set_policy(database, "401", "[protectd]")

    with pytest.raises(NoSession, match="protected"):
        async with TenantPolicies(database, NO_POLICY).used_by(person):
            pass


async def test_sessions_of_a_tenant_whose_policy_changed_are_retired_once(database: Database) -> None:
    policies, retired = TenantPolicies(database, NO_POLICY), list[str]()
    one = await admit(database, "https://rc.test", "401", "501")
    other = await admit(database, "https://rc.test", "402", "502")

    async with policies.used_by(one), policies.used_by(other):
        await policies.look(retired.append)
        assert retired == []
        for text in (DRY_RUN, None):
            await set_policy(database, "401", text)
            for _ in range(2):
                await policies.look(retired.append)
        assert retired == [one.id]
    await policies.look(retired.append)
    assert retired == [one.id]


async def test_a_policy_counts_within_seconds_for_people_who_are_at_work(database: Database, database_url: str) -> None:
    async with team(database, database_url, 1) as office, office.client(1) as client:
        first = office.ids(1)[0]
        asked = await call(client, "delete_message", message_id=[first])
        person = await office.person(1)
        await Operators(database, GuardDatabase(database_url).of).set_policy(person.account_id, DRY_RUN)
        with anyio.fail_after(60):
            while (await call(client, "delete_message", message_id=[first]))["status"] == asked["status"]:  # noqa: ASYNC110
                await anyio.sleep(0.1)  # a replica says nothing when it has looked
