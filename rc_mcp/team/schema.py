"""The tables of a team's database, and the scripts that migrate them.

The schema `rc_mcp` has the tables that all tenants share: people, logins, OAuth, rate budgets. Each tenant, a
RingCentral account, has a schema of its own with its plans and its journal, so that no query can name another tenant's
rows and each journal is one chain. Secrets are kept as digests or sealed (`key_ring.py`).

The script at N migrates from version N to N + 1. Add scripts at the end. With one for tenants, add one for what they
share, even if it is empty: replicas look only at its version.
"""

import re

from rc_mcp.team.budget_schema import BUDGETS

ACCOUNT_ID = r"[0-9]{1,20}"

SHARED = (
    """
    CREATE TABLE tenant (
        account_id text PRIMARY KEY, since timestamptz NOT NULL DEFAULT clock_timestamp(),
        stopped boolean NOT NULL DEFAULT false, policy text
    );
    CREATE TABLE person (
        id text PRIMARY KEY, account_id text NOT NULL REFERENCES tenant, extension_id text NOT NULL,
        since timestamptz NOT NULL DEFAULT clock_timestamp(), UNIQUE (account_id, extension_id)
    );
    CREATE TABLE ringcentral_login (person text PRIMARY KEY REFERENCES person ON DELETE CASCADE, sealed bytea NOT NULL);

    CREATE TABLE oauth_client (
        client_id text PRIMARY KEY, registered_at timestamptz NOT NULL DEFAULT clock_timestamp(), used_at timestamptz,
        metadata text NOT NULL
    );
    CREATE INDEX oauth_client_unused ON oauth_client (registered_at) WHERE used_at IS NULL;
    CREATE TABLE login_attempt (
        state_digest text PRIMARY KEY, browser_digest text NOT NULL, expires timestamptz NOT NULL, sealed bytea NOT NULL
    );
    CREATE INDEX login_attempt_by_expiry ON login_attempt (expires);
    CREATE TABLE oauth_grant (
        id text PRIMARY KEY, person text NOT NULL REFERENCES person ON DELETE CASCADE, client_id text NOT NULL,
        client_name text NOT NULL, resource text NOT NULL, since timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE INDEX oauth_grant_by_person ON oauth_grant (person);
    CREATE TABLE oauth_token (
        digest text PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('code', 'access', 'refresh')),
        oauth_grant text NOT NULL REFERENCES oauth_grant ON DELETE CASCADE, expires timestamptz NOT NULL,
        used_at timestamptz, detail text NOT NULL
    );
    CREATE INDEX oauth_token_by_grant ON oauth_token (oauth_grant);
    CREATE INDEX oauth_token_by_expiry ON oauth_token (expires);

    CREATE TABLE sync_token (
        digest text PRIMARY KEY, person text NOT NULL REFERENCES person ON DELETE CASCADE, issued timestamptz NOT NULL,
        sealed bytea NOT NULL
    );
    CREATE INDEX sync_token_by_person ON sync_token (person, issued);

    CREATE TABLE file_link (digest text PRIMARY KEY, expires timestamptz NOT NULL, sealed bytea NOT NULL);

    -- What the journal's queries ask of a row's details, which its owner may have damaged.
    CREATE FUNCTION clock_of(details text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN RETURN details::jsonb -> 'clock'; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;
    CREATE FUNCTION clock_name(details text) RETURNS text LANGUAGE sql IMMUTABLE AS
        $$ SELECT rc_mcp.clock_of(details) ->> 'name' $$;
    CREATE FUNCTION clock_seconds(details text) RETURNS double precision LANGUAGE sql IMMUTABLE AS
        $$ SELECT (jsonb_path_query_first(rc_mcp.clock_of(details), '$.seconds ? (@.type() == "number")') #>> '{}')
            ::double precision $$;
    """
    + BUDGETS,
)

TENANT = (
    """
    CREATE TABLE plan (
        rowid bigserial, id text PRIMARY KEY, digest text NOT NULL, expires double precision NOT NULL,
        state text NOT NULL, body text NOT NULL
    );
    CREATE TABLE entry (
        number bigint PRIMARY KEY, at text NOT NULL COLLATE "C", event text NOT NULL, operation text,
        principal text NOT NULL, tool text NOT NULL, detail text NOT NULL, hash text NOT NULL
    );
    CREATE TABLE repeat (entry bigint PRIMARY KEY, times bigint NOT NULL, last_at text NOT NULL COLLATE "C");
    CREATE TABLE open_operation (operation text PRIMARY KEY, principal text NOT NULL);
    CREATE INDEX entry_by_operation ON entry (operation, event);
    CREATE INDEX entry_by_event ON entry (event, principal, at);
    CREATE INDEX entry_by_time ON entry (at);
    CREATE INDEX request_by_clock ON entry (clock_name(detail), clock_seconds(detail)) WHERE event = 'sending';

    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the journal is only added to'; END $$;
    CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER entries_stay BEFORE TRUNCATE ON entry EXECUTE FUNCTION refuse_change();

    CREATE FUNCTION note_operation() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.event = 'done' THEN
                DELETE FROM open_operation WHERE operation = NEW.operation;
            ELSE
                INSERT INTO open_operation VALUES (NEW.operation, NEW.principal) ON CONFLICT DO NOTHING;
            END IF;
            RETURN NULL;
        END $$;
    CREATE TRIGGER operation_opens_or_ends AFTER INSERT ON entry FOR EACH ROW
        WHEN (NEW.event IN ('begun', 'sending', 'done')) EXECUTE FUNCTION note_operation();
    """,
)


def tenant_schema(account_id: str) -> str:
    """Return the name of a tenant's schema.

    Raises:
        ValueError: this is no account id.
    """
    if not re.fullmatch(ACCOUNT_ID, account_id, re.ASCII):
        raise ValueError("an account id has 1 to 20 digits")
    return f"rc_mcp_{account_id}"
