"""A policy applied to messages: one broken line blocks a plan, and protection has no exception."""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_mcp.guard.policy.phone_numbers import may_be_same, readings
from rc_mcp.guard.policy.rules import NO_POLICY, Policy, unmet
from rc_mcp.ringcentral import Message

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RULE: dict[str, Any] = {
    "types": ["VoiceMail", "SMS"],
    "older_than": "90d",
    "read_status": "Read",
    "direction": "Inbound",
    "max_per_call": 10,
    "max_per_hour": 20,
    "max_per_day": 30,
}
Changes = dict[str, Any]
FITTING: Changes = {
    "id": "1",
    "type": "SMS",
    "direction": "Inbound",
    "readStatus": "Read",
    "availability": "Alive",
    "creationTime": "2026-01-01T00:00:00Z",
    "from": {"phoneNumber": "+15035550134", "name": "Maria Costa"},
    "to": [{"phoneNumber": "+15035550110"}],
}
# Fields that break each line of the rule.
BREAKING: dict[str, list[Changes]] = {
    "types": [{"type": "Fax"}, {"type": "sms"}, {"type": None}],
    "older_than": [
        {"creationTime": "2026-11-01T00:00:00Z"},
        {"creationTime": None},
        {"creationTime": "2027-01-01T00:00:00Z"},
    ],
    "read_status": [{"readStatus": "Unread"}, {"readStatus": None}],
    "direction": [{"direction": "Outbound"}, {"direction": None}],
    "not protected": [
        {"from": {"phoneNumber": "+16505550100"}},
        {"from": {"name": "THE  clinic", "phoneNumber": "+15035550134"}},
        {"to": [{"phoneNumber": "+15035550110"}, {"phoneNumber": "(650) 555-0100"}]},
        {"to": [{"extensionNumber": "104", "name": "Ewa"}]},
        {"forwarding": {"originalSender": {"phoneNumber": "6505550100"}}},
    ],
    "known sender": [{"from": None}, {"from": {"name": "Somebody"}}, {"from": {"phoneNumber": ""}}],
}


def policy(rule: Changes | None = None, kind: Literal["delete", "purge"] = "delete", **sections: Any) -> Policy:
    """Return a policy with this rule, as if read from a file."""
    return Policy.model_validate({"unattended": {kind: rule} if rule else {}, **sections})


GUARDED = policy(RULE, protected={"numbers": ["+16505550100", "104"], "names": ["The Clinic"]})


def message(**fields: Any) -> Message:
    """Return a message that fits RULE except for these fields."""
    return Message.model_validate(FITTING | fields)


def protects(entry: str, **party: str) -> bool:
    """Return whether protecting this number protects this party's messages."""
    return policy(protected={"numbers": [entry]}).protects(message(**{"from": party}))


broken = st.sampled_from([(line, fields) for line, kinds in BREAKING.items() for fields in kinds])


def test_a_message_that_fits_every_line_may_be_deleted() -> None:
    assert GUARDED.fits(message(), NOW, purge=False)
    assert GUARDED.misfits([message()], NOW, purge=False) == {}


@settings(deadline=None)
@given(broken, st.integers(0, 9))
def test_one_message_that_breaks_one_line_blocks_all(case: tuple[str, Changes], others: int) -> None:
    line, fields = case
    messages = [message()] * others + [message(**fields)]
    misfits = GUARDED.misfits(messages, NOW, purge=False)
    assert misfits
    assert misfits[line] == 1
    objection = GUARDED.objection(misfits, len(messages), lambda _: 0, purge=False)
    assert objection is not None
    assert f"1 of {len(messages)} {unmet(line)}" in objection.split("; ")
    assert "not protected" not in objection


@settings(deadline=None)
@given(st.lists(st.sampled_from([f for line, kinds in BREAKING.items() if line != "not protected" for f in kinds])))
def test_protection_has_precedence_over_every_other_line(changes: list[Changes]) -> None:
    fields = {name: value for change in changes for name, value in change.items() if name != "from"}
    protected = message(**fields, **{"from": {"phoneNumber": "+16505550100"}})
    everything = RULE | {"types": ["Fax", "SMS", "VoiceMail", "Pager"], "older_than": "1h", "read_status": "Any"}
    for kind in ("delete", "purge"):
        lenient = policy(everything, kind, protected={"numbers": ["650 555 0100"]})
        assert lenient.protects(protected)
        assert not lenient.fits(protected, NOW, purge=kind == "purge")


@settings(deadline=None)
@given(broken)
def test_nothing_may_be_deleted_without_a_rule(case: tuple[str, Changes]) -> None:
    for m in (message(), message(**case[1])):
        assert not NO_POLICY.fits(m, NOW, purge=False)
        assert not GUARDED.fits(m, NOW, purge=True)  # it has only a rule for deletes
    no_rule = NO_POLICY.objection(None, 1, lambda _: 0, purge=True)
    assert no_rule
    assert GUARDED.objection({}, 1, lambda _: 0, purge=True) == no_rule
    assert GUARDED.objection(None, 1, lambda _: 0, purge=False) == no_rule


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 60), st.integers(0, 60))
def test_a_cap_is_never_exceeded(n: int, hour: int, earlier: int) -> None:
    spent = {timedelta(hours=1): hour, timedelta(days=1): hour + earlier}
    objection = GUARDED.objection({}, n, spent.__getitem__, purge=False)
    within = n <= 10 and hour + n <= 20 and hour + earlier + n <= 30
    assert (objection is None) == within


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 60))
def test_limits_apply_to_every_plan(n: int, used: int) -> None:
    limits = policy(limits={"max_per_plan": 50, "max_per_call": 40, "max_per_hour": 60, "max_per_day": 70}).limits
    over = limits.over(n, lambda _: used)
    assert (over is None) == (n <= 40 and used + n <= 60)
    assert NO_POLICY.limits.over(n, lambda _: used) is None


def test_protection_is_the_same_however_a_message_was_read() -> None:
    only_when_read_alone = {"vmSideRecipients": [{"extensionNumber": "104", "name": "The Clinic"}]}
    assert GUARDED.protects(message(**only_when_read_alone)) == GUARDED.protects(message())


def test_any_read_status_must_be_a_known_one() -> None:
    both = policy(RULE | {"read_status": "Any"})
    assert both.fits(message(readStatus="Unread"), NOW, purge=False)
    assert not both.fits(message(readStatus="Heard"), NOW, purge=False)


def test_without_a_direction_both_fit() -> None:
    both = policy({name: value for name, value in RULE.items() if name != "direction"})
    assert both.fits(message(direction="Outbound"), NOW, purge=False)


def test_exactly_as_old_is_not_older() -> None:
    edge = NOW - timedelta(days=90)
    assert not GUARDED.fits(message(creationTime=edge.isoformat()), NOW, purge=False)
    assert GUARDED.fits(message(creationTime=(edge - timedelta(seconds=1)).isoformat()), NOW, purge=False)


@pytest.mark.parametrize(
    "written",
    [
        "+16505550100",
        "16505550100",
        "6505550100",
        "(650) 555-0100",
        "650.555.0100",
        "+1\u00a0650\u2011555\u20110100",
        "0016505550100",
        "011 1 650 555 0100",
        "+16505550100*102",
        "+1 650 555 0100 ext. 102",
        "\uff0b\uff11\uff16\uff15\uff10\uff15\uff15\uff15\uff10\uff11\uff10\uff10",
        "\u0661\u0666\u0665\u0660\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
    ],
)
@pytest.mark.parametrize("entry", ["+16505550100", "1 650 555 0100", "(650) 555-0100"])
def test_a_number_is_the_same_however_it_is_written(entry: str, written: str) -> None:
    assert protects(entry, phoneNumber=written)


@pytest.mark.parametrize("written", ["+16505550101", "+16505550100123", "0100", "555", "", "x", "ext. 102"])
def test_different_numbers_stay_different(written: str) -> None:
    assert not protects("+16505550100", phoneNumber=written)


def test_a_number_without_a_country_code_fits_any_country() -> None:
    assert protects("020 7946 0018", phoneNumber="+442079460018")
    assert protects("+442079460018", phoneNumber="020 7946 0018")


LONDON = "+442079460000"


@pytest.mark.parametrize(
    "printed",
    [
        "+44 (0)20 7946 0000",
        "+44(0)20 7946 0000",
        "+44 (0) 20 7946-0000",
        "+44 (020) 7946 0000",
        "(+44) (0)20 7946 0000",
        "+44 [0]20 7946 0000",
        "+44 020 7946 0000",
        "+44.20.7946.0000",
        "+44/20/79460000",
        "+44\u00a0(0)20\u202f7946\u20110000",
        "44 (0)20 7946 0000",
        "0044 (0)20 7946 0000",
        "0044 020 7946 0000",
        "011 44 (0)20 7946 0000",
        "011 44 020 7946 0000",
        "0011 44 020 7946 0000",
        "tel:+44-20-7946-0000",
        "TEL:+44(0)2079460000",
        "020 7946 0000",
        "(0)20 7946 0000",
        "\uff0b\uff14\uff14\uff08\uff10\uff09\uff12\uff10 \uff17\uff19\uff14\uff16 \uff10\uff10\uff10\uff10",
    ],
)
def test_a_printed_number_equals_the_number_dialed_from_abroad(printed: str) -> None:
    assert protects(printed, phoneNumber=LONDON)
    assert protects(LONDON, phoneNumber=printed)
    assert not protects(printed, phoneNumber="+442079460001")


@pytest.mark.parametrize(
    ("printed", "dialled"),
    [
        ("+49 (0) 30/1234567", "+49301234567"),
        ("030/1234567", "+49301234567"),
        ("+39 (0)6 1234567", "+39061234567"),  # Italy's zero is part of the number
        ("+36 (06) 1 234 5678", "+3612345678"),
        ("+370 (8) 5 123 4567", "+37051234567"),
        ("8 (495) 123-45-67", "+74951234567"),
        ("+380 44 123-45-67", "+380441234567"),
        ("+52 1 55 1234 5678", "+525512345678"),
        ("+54 9 11 1234-5678", "+541112345678"),
        ("0117 496 0000", "+441174960000"),
    ],
)
def test_digits_dialed_only_inland_do_not_hide_a_number(printed: str, dialled: str) -> None:
    assert protects(printed, phoneNumber=dialled)
    assert protects(dialled, phoneNumber=printed)


@pytest.mark.parametrize("country", ["1", "7", "20", "44", "49", "61", "81", "353", "420", "971"])
@pytest.mark.parametrize("zero", ["(0)", " (0) ", "0", "-0-"])
@pytest.mark.parametrize("prefix", ["+", "00", "011 "])
def test_a_trunk_zero_after_any_country_code_is_ignored(prefix: str, country: str, zero: str) -> None:
    printed = f"{prefix}{country}{zero}2125550123"
    assert may_be_same(readings(printed), readings(f"+{country}2125550123"))


@pytest.mark.parametrize(
    "written", ["Fax +16505550100", "sip:16505550100@host", "+1650\u200b5550100", "16505550100 ext 2"]
)
def test_text_around_a_number_in_the_mailbox_does_not_hide_it(written: str) -> None:
    assert protects("+16505550100", phoneNumber=written)


def test_an_extension_number_does_not_match_the_end_of_a_longer_number() -> None:
    assert protects("104", extensionNumber="104")
    assert not protects("104", extensionNumber="1104")
    assert not protects("104", phoneNumber="+15035550104")


@settings(deadline=None)
@given(st.from_regex(r"\+([2-9][0-9]{9,13}|1[0-9]{10})", fullmatch=True), st.sampled_from([" ", "-", ".", ""]))
def test_formatting_a_number_does_not_hide_it(number: str, separator: str) -> None:
    assert protects(
        number, phoneNumber=f"{number[:2]}{separator}({number[2:5]}){separator}{separator.join(number[5:])}"
    )
    assert protects(f"{number[:4]} {number[4:]}", phoneNumber=number)


@pytest.mark.parametrize(
    ("entry", "written"),
    [
        ("Chloé Tremblay", unicodedata.normalize("NFD", "CHLOÉ TREMBLAY")),
        ("Straße", "STRASSE"),
        ("Maria Costa", "  maria\u00a0\u00a0costa "),
        ("Maria Costa", "Ma\u200bria\u202e Costa\u2066"),
        ("नवीन् शर्मा", "नवीन्\u200d शर्मा"),
        ("नवीन्\u200d शर्मा", "नवीन् शर्मा"),
        ("Maria Costa", "\uff2d\uff41\uff52\uff49\uff41 \uff23\uff4f\uff53\uff54\uff41"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    ],
)
def test_a_name_is_the_same_however_it_is_written(entry: str, written: str) -> None:
    assert policy(protected={"names": [entry]}).protects(message(**{"from": {"name": written}}))


@pytest.mark.parametrize("written", ["Maria", "Maria Costa Jr.", "Anna Maria Costa", "", "Maria C\u043esta"])
def test_different_names_stay_different(written: str) -> None:
    assert not policy(protected={"names": ["Maria Costa"]}).protects(message(**{"from": {"name": written}}))


def test_protecting_entries_are_reported_as_the_file_spells_them() -> None:
    assert GUARDED.protectors(message(to=[{"phoneNumber": "650 555 0100", "name": "the clinic"}])) == [
        "+16505550100",
        "The Clinic",
    ]


@pytest.mark.parametrize(
    ("fields", "unsure"),
    [
        ({}, False),
        ({"from": None}, True),
        ({"from": {"name": "Somebody"}}, True),
        ({"direction": "Outbound", "from": None}, False),
        ({"direction": "Outbound", "to": []}, True),
        ({"direction": "Outbound", "to": [{"phoneNumber": "1"}, {"name": "Somebody"}]}, True),
        ({"direction": "Outbound", "to": [{"extensionNumber": "102"}]}, False),
    ],
)
def test_only_the_other_side_must_be_known_and_only_if_the_policy_protects_messages(
    fields: Changes, unsure: bool
) -> None:
    assert GUARDED.is_unsure_of(message(**fields)) is unsure
    assert not policy(RULE).is_unsure_of(message(**fields))
