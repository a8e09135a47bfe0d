"""What `rc-mcp database check` looks at. It changes nothing, and names no address, user or tenant."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg

from rc_mcp.team.database import NEWER, OLDER, reason, version_of
from rc_mcp.team.key_ring import KeyRing, NotOpened
from rc_mcp.team.logins import login_name
from rc_mcp.team.people import Person
from rc_mcp.team.schema import SHARED, TENANT, tenant_schema

_APART_S = 30.0
"""A difference of clocks that an operator should know of. Replicas go by the database's clock."""
_MIGRATE = "Run rc-mcp database migrate."

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    verdict: Literal["ok", "note", "fault"]
    what: str
    advice: str = ""


def findings(url: str, keys: KeyRing | None) -> Generator[Finding]:
    """Check the team's database, and yield the result of each check.

    Args:
        keys: the ring that must open the logins in the database; None leaves that check out.
    """
    try:
        with psycopg.connect(url, connect_timeout=5, options="-c statement_timeout=5s -c lock_timeout=5s") as db:
            yield _reached(db)
            version = _version(db)
            yield version
            yield _rights(db)
            if version.verdict == "ok":
                yield _writing(db)
                yield _tenants(db)
                yield _logins(db, keys)
            yield _clock(db)
    except psycopg.Error as error:
        yield Finding("fault", f"database: {reason(error)}", _advice(error))


def _reached(db: Connection) -> Finding:
    number = db.info.server_version
    return Finding("ok", f"database: PostgreSQL {number // 10_000}.{number % 10_000}")


def _version(db: Connection) -> Finding:
    there, here = version_of(db, "rc_mcp"), len(SHARED)
    if there == here:
        return Finding("ok", f"tables: version {there}, the one of this rc-mcp")
    what = (OLDER if there < here else NEWER).format(there=there, here=here)
    return Finding("fault", f"tables: {what}")


def _rights(db: Connection) -> Finding:
    """Check what the role may do. A new tenant's tables are made when its first person logs in."""
    found = db.execute(
        "SELECT rolsuper, has_database_privilege(current_database(), 'CREATE'),"
        " coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'rc_mcp'), true)"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    is_super, may_create, owns = found or (False, False, False)
    if not (may_create and owns):
        return Finding(
            "fault",
            "role: it may not create schemas, so people of a new account cannot log in",
            "Make it the owner of the database, or GRANT CREATE ON DATABASE to it.",
        )
    if is_super:
        return Finding("note", "role: it is a superuser", "Give rc-mcp a role of its own that owns only its database.")
    return Finding("ok", "role: it may create schemas, and is no superuser")


def _writing(db: Connection) -> Finding:
    """Write a row, and take it back."""
    row = "INSERT INTO rc_mcp.file_link (digest, expires, sealed) VALUES ('check', now(), '')"
    try:
        with db.transaction(force_rollback=True):
            db.execute(row)
    except psycopg.Error as error:
        return Finding("fault", f"writing: {reason(error)}; deletes are refused", _advice(error))
    return Finding("ok", "writing: possible")


def _tenants(db: Connection) -> Finding:
    rows = db.execute("SELECT account_id, stopped, policy IS NOT NULL FROM rc_mcp.tenant").fetchall()
    people = db.execute("SELECT count(*) FROM rc_mcp.person").fetchone()
    old = sum(version_of(db, tenant_schema(account_id)) != len(TENANT) for account_id, _, _ in rows)
    stopped, with_policy = sum(row[1] for row in rows), sum(row[2] for row in rows)
    what = f"tenants: {len(rows):,} ({stopped:,} stopped, {with_policy:,} with a policy), {(people or [0])[0]:,} people"
    if old:
        return Finding("fault", f"{what}; {old:,} with tables of another version", _MIGRATE)
    return Finding("ok", what)


def _logins(db: Connection, keys: KeyRing | None) -> Finding:
    """Count the logins, and those that no key opens."""
    if keys is None:
        return Finding("note", "logins: not checked", "Set RC_MCP_SECRET_KEYS to check that its keys open them.")
    count = lost = 0
    with db.cursor(name="logins") as found:  # in portions
        found.execute(
            "SELECT person.id, account_id, extension_id, sealed FROM rc_mcp.ringcentral_login AS login"
            " JOIN rc_mcp.person ON person.id = login.person"
        )
        for *person, sealed in found:
            count += 1
            lost += not _opens(keys, Person(*person), sealed)
    if lost:
        advice = "Put the missing key into RC_MCP_SECRET_KEYS, behind the others; or let these people log in again."
        return Finding("fault", f"logins: no key opens {lost:,} of {count:,}", advice)
    return Finding("ok", f"logins: {count:,}, and the keys open all")


def _opens(keys: KeyRing, person: Person, sealed: bytes) -> bool:
    try:
        keys.open(sealed, login_name(person))
    except NotOpened:
        return False
    return True


def _clock(db: Connection) -> Finding:
    before = datetime.now(UTC)
    row = db.execute("SELECT clock_timestamp()").fetchone()
    here = before + (datetime.now(UTC) - before) / 2
    ahead_s = (row[0] - here).total_seconds() if row else 0.0
    way = "ahead of" if ahead_s >= 0 else "behind"
    what = f"clock: the database's is {abs(ahead_s):.1f} s {way} this machine's"
    if abs(ahead_s) <= _APART_S:
        return Finding("ok", what)
    return Finding("note", what, "Replicas go by the database's clock. Let a time server set both.")


def _advice(error: psycopg.Error) -> str:
    match error:
        case psycopg.errors.ReadOnlySqlTransaction():
            return "It may be a standby: use the address of the primary."
        case psycopg.errors.DiskFull():
            return "Free disk space on the database's machine."
        case psycopg.errors.InsufficientPrivilege():
            return "Make the role the owner of the tables."
        case psycopg.OperationalError():
            return "Check RC_MCP_DATABASE_URL: host, port, user, password and database."
        case _:
            return ""
