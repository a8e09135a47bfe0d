"""The state of a tenant, beside replicas that stand still."""

import pytest

from rc_mcp import time_limits
from rc_mcp.guard.refusals import GuardError
from rc_mcp.guard.state.journal import Journal
from rc_mcp.team.tenant_state import GuardDatabase
from tests.team import postgres

pytestmark = pytest.mark.process

TENANT = "4010000001"


def test_a_replica_that_stands_still_in_a_transaction_keeps_nobody_out(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.add_tenant(database_url, TENANT)
    monkeypatch.setattr(time_limits, "DATABASE_GUARD_S", 0.3)
    with GuardDatabase(database_url) as paused:
        monkeypatch.setattr(time_limits, "DATABASE_GUARD_S", 30.0)
        with GuardDatabase(database_url) as others:
            journal = Journal(others.of(TENANT))

            def stand_still() -> None:
                with paused.of(TENANT).writing() as db:
                    journal.append("refused", operation=None, principal="other", tool="delete_message", details={})
                    db.execute("DELETE FROM plan")

            with pytest.raises(GuardError):
                stand_still()
            assert [entry.principal for entry in journal.entries()] == ["other"]
