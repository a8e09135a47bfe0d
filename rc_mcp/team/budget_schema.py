"""The tables of rate budgets, and the function that decides about places in them.

A function, because a request waits for it: one round trip takes the lock on a budget, notes what the replica has
learned since its last turn, and grants a place or says how long to wait. The rules are those of
`rc_mcp.ringcentral.transport.budgets.Budget`, and the comments say only what is different for replicas.

The tables are unlogged: after a crash of the database they are empty, and the next answers of RingCentral say how many
places are taken.
"""

BUDGETS = """
    -- Times are seconds since 1970, by the database's clock.
    CREATE UNLOGGED TABLE budget (
        owner text NOT NULL, rate_group text NOT NULL, most integer, window_s double precision,
        others integer NOT NULL DEFAULT 0, others_at double precision NOT NULL DEFAULT 0,
        penalties jsonb NOT NULL DEFAULT '{}', user_at double precision NOT NULL DEFAULT 0,
        user_waits_until double precision NOT NULL DEFAULT 0, PRIMARY KEY (owner, rate_group)
    );
    -- A place counts from `since`. Until its request is answered, that is the time at which an answer comes at the
    -- latest: so the place of a replica that was killed is free one window after that.
    CREATE UNLOGGED TABLE budget_place (
        id bigint PRIMARY KEY, owner text NOT NULL, rate_group text NOT NULL, since double precision NOT NULL
    );
    CREATE INDEX budget_place_by_owner ON budget_place (owner, rate_group, since);

    -- Note what a replica has learned, and ask for a place.
    --   set_time: the time; NULL: the clock's
    --   learned: what happened since the replica's last turn, see `_Learned`; NULL: nothing
    --   asked: the id for a new place; NULL: none is asked for
    --   assumed, assumed_window_s: the limit, until RingCentral has stated one; NULL: none
    --   answer_s: the longest time until an answer
    --   spare: how many places must be free after one in the background; NULL: a user waits
    --   ahead: no request waits yet; the place is for the next request, and is only taken while at least half are free
    -- Returns how long to wait, 0 if a place was taken; and of this group: in how many seconds each of its places is
    -- free again, soonest first, its limit, its window, and the seconds for which it is closed.
    CREATE FUNCTION budget_turn(
        whose text, of_group text, set_time double precision, learned jsonb, asked bigint, assumed integer,
        assumed_window_s double precision, answer_s double precision, spare integer, ahead boolean,
        OUT wait_s double precision, OUT free_in_s double precision[], OUT most integer, OUT window_s double precision,
        OUT closed_s double precision
    ) LANGUAGE plpgsql AS $$
        DECLARE
            own budget%ROWTYPE;
            before budget%ROWTYPE;
            at double precision;
            free_again integer; answered integer; in_flight integer; half integer; is_free boolean;
            taken double precision[];
            last_at double precision; next_place double precision;
            interval_s double precision; even_in_s double precision;
        BEGIN
            SELECT * INTO own FROM budget b WHERE b.owner = whose AND b.rate_group = of_group FOR UPDATE;
            IF NOT FOUND THEN
                INSERT INTO budget (owner, rate_group) VALUES (whose, of_group) ON CONFLICT DO NOTHING;
                SELECT * INTO own FROM budget b WHERE b.owner = whose AND b.rate_group = of_group FOR UPDATE;
            END IF;
            before := own;
            at := coalesce(set_time, extract(epoch FROM clock_timestamp()));  -- after the wait for the lock

            IF learned IS NOT NULL THEN
                own.most := coalesce((learned ->> 'limit')::integer, own.most);
                own.window_s := coalesce((learned ->> 'window_s')::double precision, own.window_s);
                INSERT INTO budget_place (id, owner, rate_group, since)
                    SELECT key::bigint, whose, of_group, at - value::text::double precision
                    FROM jsonb_each(learned -> 'answered') WHERE coalesce(own.most, assumed) IS NOT NULL
                    ON CONFLICT (id) DO UPDATE SET since = excluded.since;
                IF learned ? 'given_back' THEN
                    DELETE FROM budget_place WHERE id IN
                        (SELECT value::bigint FROM jsonb_array_elements_text(learned -> 'given_back'));
                END IF;
                IF learned ?| ARRAY['penalties', 'lifted'] THEN
                    own.penalties := own.penalties || (
                        SELECT coalesce(jsonb_object_agg(key, at + value::text::double precision), '{}')
                        FROM jsonb_each(learned -> 'penalties')
                    ) - ARRAY(SELECT jsonb_array_elements_text(learned -> 'lifted'));
                END IF;
            END IF;

            most := coalesce(own.most, assumed);
            window_s := coalesce(own.window_s, assumed_window_s);
            SELECT count(*) FILTER (WHERE p.since <= at - budget_turn.window_s),
                    count(*) FILTER (WHERE p.since <= at AND p.since > at - budget_turn.window_s),
                    count(*) FILTER (WHERE p.since > at), max(p.since) - answer_s
                INTO free_again, answered, in_flight, last_at
                FROM budget_place p WHERE p.owner = whose AND p.rate_group = of_group;
            IF free_again > 0 THEN
                DELETE FROM budget_place p
                    WHERE p.owner = whose AND p.rate_group = of_group AND p.since <= at - budget_turn.window_s;
            END IF;
            IF own.others_at + window_s <= at THEN
                own.others := 0;
            END IF;
            IF learned ->> 'remaining' IS NOT NULL AND most IS NOT NULL THEN
                own.others := greatest(0, most - (learned ->> 'remaining')::integer - answered);
                own.others_at := CASE WHEN own.others > 0 THEN at ELSE own.others_at END;
            ELSIF learned ->> 'remaining' = '0' THEN
                own.penalties := own.penalties || jsonb_build_object('unknown', at + window_s);
            END IF;
            closed_s := 0;
            IF own.penalties <> '{}' THEN
                SELECT coalesce(jsonb_object_agg(key, value), '{}'),
                        coalesce(max(value::text::double precision) - at, 0)
                    INTO own.penalties, closed_s
                    FROM jsonb_each(own.penalties) WHERE value::text::double precision > at;
            END IF;

            wait_s := closed_s;
            half := greatest((most - answered - own.others) / 2, CASE WHEN own.others > 0 THEN 0 ELSE 1 END);
            is_free := closed_s = 0 AND answered + in_flight + own.others < most AND in_flight < half;
            IF ahead THEN
                wait_s := CASE WHEN closed_s > 0 OR 2 * (answered + in_flight + own.others + 1) > most THEN 1 ELSE 0
                    END;
            ELSIF asked IS NOT NULL AND (NOT is_free OR spare IS NOT NULL) THEN
                taken := ARRAY(
                    SELECT least(p.since, at) FROM budget_place p WHERE p.owner = whose AND p.rate_group = of_group
                    UNION ALL SELECT own.others_at FROM generate_series(1, own.others) ORDER BY 1
                );
                wait_s := greatest(closed_s, budget_opens_in(taken, 0, most, window_s, at));
                next_place := greatest(closed_s, budget_opens_in(taken, 1, most, window_s, at));
                IF wait_s = 0 AND in_flight >= half THEN
                    -- The answer may come to another replica: this one looks again, ever more rarely.
                    wait_s := CASE WHEN in_flight > 0 THEN greatest(0.02, (at - last_at) / 10) ELSE next_place END;
                END IF;
            END IF;

            IF asked IS NULL OR ahead THEN
                NULL;
            ELSIF spare IS NULL THEN
                own.user_at := CASE WHEN at > own.user_at + 10 THEN at ELSE own.user_at END;
                own.user_waits_until := CASE WHEN wait_s > 0 THEN at + least(wait_s, 1) + 0.2 ELSE 0 END;
            ELSIF own.user_waits_until > at THEN
                wait_s := greatest(wait_s, own.user_waits_until - at);
            ELSIF most IS NOT NULL THEN
                interval_s := window_s / most;
                IF spare = 0 AND NOT EXISTS (SELECT FROM budget b WHERE b.owner = whose AND b.user_at > at - 610) THEN
                    next_place := next_place - interval_s;
                END IF;
                SELECT greatest(next_place, max(
                        since + budget_turn.window_s - at - (most - cardinality(taken) + n) * interval_s
                    )) INTO even_in_s FROM unnest(taken) WITH ORDINALITY AS place (since, n);
                wait_s := greatest(least(wait_s, interval_s), CASE WHEN even_in_s > 0.001 THEN even_in_s ELSE 0 END);
            END IF;

            IF asked IS NOT NULL AND wait_s = 0 AND most IS NOT NULL THEN
                INSERT INTO budget_place VALUES (asked, whose, of_group, at + answer_s);
            END IF;
            free_in_s := ARRAY(SELECT since + budget_turn.window_s - at FROM unnest(taken) AS place (since));
            IF own IS DISTINCT FROM before THEN
                UPDATE budget b SET most = own.most, window_s = own.window_s, others = own.others,
                        others_at = own.others_at, penalties = own.penalties, user_at = own.user_at,
                        user_waits_until = own.user_waits_until
                    WHERE b.owner = whose AND b.rate_group = of_group;
            END IF;
        END
    $$;
    -- In how many seconds a place is expected to be free for a request with this many others before it.
    CREATE FUNCTION budget_opens_in(
        taken double precision[], ahead integer, most integer, window_s double precision, at double precision
    ) RETURNS double precision LANGUAGE sql IMMUTABLE RETURN
        ahead / most * window_s + CASE WHEN cardinality(taken) + ahead % most - most < 0 THEN 0
        ELSE greatest(0, taken[cardinality(taken) + ahead % most - most + 1] + window_s - at) END;
"""
