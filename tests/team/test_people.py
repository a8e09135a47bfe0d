"""Who belongs to the team."""

import pytest

from rc_mcp.team.database import Database, DatabaseAway, check, migrate
from rc_mcp.team.people import admit, find

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def test_a_person_is_the_same_at_each_login(database: Database) -> None:
    first = await admit(database, "https://rc.test", "401", "501")

    assert await admit(database, "https://rc.test", "401", "501") == first == await find(database, first.id)


async def test_two_people_of_one_account_are_two(database: Database) -> None:
    one = await admit(database, "https://rc.test", "401", "501")
    other = await admit(database, "https://rc.test", "401", "502")

    assert one.id != other.id
    assert one.account_id == other.account_id


async def test_a_replica_of_an_older_version_adds_no_tenant_after_a_migration(database: Database) -> None:
    await admit(database, "https://rc.test", "401", "501")
    async with database.transaction() as db:
        await db.execute("UPDATE version SET number = number + 1")

    with pytest.raises(DatabaseAway):
        await admit(database, "https://rc.test", "402", "501")
    assert await admit(database, "https://rc.test", "401", "502")


async def test_only_ids_name_a_tenant(database: Database) -> None:
    with pytest.raises(ValueError, match="account id"):
        await admit(database, "https://rc.test", 'x"; DROP SCHEMA rc_mcp', "501")


async def test_migrating_again_changes_nothing(database: Database, database_url: str) -> None:
    await admit(database, "https://rc.test", "401", "501")

    assert migrate(database_url) == 1
    check(database_url)
