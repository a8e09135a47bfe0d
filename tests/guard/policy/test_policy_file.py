"""A server with a faulty policy file does not start; each fault is reported with its file, line and key."""

from datetime import timedelta
from pathlib import Path

import pytest

from rc_mcp.guard.policy.phone_numbers import number_fault
from rc_mcp.guard.policy.policy_file import WANTED, PolicyError, load_policy
from rc_mcp.guard.policy.rules import NAME_WANTED, NUMBER_WANTED, SPAN_WANTED

EXAMPLE = Path(__file__).parents[3] / "examples/policy.toml"
RULE = """\
[unattended.delete]
types = ["VoiceMail"]
older_than = "90d"
read_status = "Read"
max_per_call = 200
max_per_day = 1000
"""


READ_STATUS = "line 4: read_status of [unattended.delete]"
TYPES = "line 2: types, entry 1, of [unattended.delete]"
DIRECTION = "line 7: direction of [unattended.delete]"


def faults(tmp_path: Path, text: str) -> list[str]:
    """Return the faults of a file with this text, without the file's name."""
    file = tmp_path / "policy.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    assert all(fault.startswith(f"{file}: ") for fault in caught.value.faults)
    assert len(str(caught.value).splitlines()) == 1
    return [fault.removeprefix(f"{file}: ") for fault in caught.value.faults]


def test_the_example_is_read_as_it_is_written() -> None:
    policy = load_policy(EXAMPLE)
    rule = policy.rule(purge=False)
    assert rule is not None
    assert (rule.types, rule.older_than, rule.read_status) == (["VoiceMail", "SMS"], timedelta(days=14), "Read")
    assert policy.rule(purge=True) is None
    assert policy.protected.numbers == ["+15035550122", "104"]
    assert (policy.limits.max_per_plan, policy.limits.max_per_hour) == (100, None)
    assert policy.dry_run


def test_an_empty_file_allows_nothing_and_protects_nothing(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").touch()
    policy = load_policy(tmp_path / "policy.toml")
    assert (policy.rule(purge=False), policy.rule(purge=True)) == (None, None)
    assert not policy.protects_anybody
    assert not policy.dry_run


@pytest.mark.parametrize("text", ["\ufeff" + RULE, RULE.replace("\n", "\r\n")], ids=["byte order mark", "CRLF"])
def test_a_file_saved_on_windows_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.toml").write_bytes(text.encode())
    assert load_policy(tmp_path / "policy.toml").rule(purge=False)


def test_a_span_keeps_all_its_digits(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(RULE.replace('"90d"', '"876000h"'))
    rule = load_policy(tmp_path / "policy.toml").rule(purge=False)
    assert rule
    assert rule.older_than == timedelta(hours=876_000)


@pytest.mark.parametrize("span", ["6m", "6M", "90min", "6mo", "6 months"])
def test_m_is_not_a_unit_because_it_could_mean_minutes_or_months(tmp_path: Path, span: str) -> None:
    [fault] = faults(tmp_path, RULE.replace('"90d"', f'"{span}"'))
    [ordinary] = faults(tmp_path, RULE.replace('"90d"', '"90"'))
    assert fault.startswith(f"line 3: older_than of [unattended.delete] {SPAN_WANTED} (m ")
    assert fault.endswith(f"'{span}'")
    assert "(m " not in ordinary


NOT_ONE_NUMBER = {
    "two numbers": (
        "650-555-0100/01",
        "650-555-0100 / 650-555-0101",
        "555-0100/0101",
        "650-555-0100-01",
        "650-555-0100, 650-555-0101",
        "+16505550100 +16505550101",
    ),
    "too long": ("650-555-0100 650-555-0101", "+4420794600001234"),
    "extension": ("+16505550100 ext. 102", "tel:+1-650-555-0100;ext=102"),
    "letters": ("+1 650 555 010O", "1-800-FLOWERS"),
    "digits after +1": ("+1 650 555 010",),
    "too short": ("+1", "020 79", "0104"),
    "other characters": ("*104", ""),
}


def test_each_kind_of_invalid_number_has_its_own_reason() -> None:
    reasons = {kind: {number_fault(entry) for entry in entries} for kind, entries in NOT_ONE_NUMBER.items()}
    assert all(len(found) == 1 and None not in found for found in reasons.values())
    assert len({reason for found in reasons.values() for reason in found}) == len(NOT_ONE_NUMBER)


@pytest.mark.parametrize("entry", [entry for entries in NOT_ONE_NUMBER.values() for entry in entries])
def test_an_invalid_number_is_refused_with_its_line_and_the_reason(tmp_path: Path, entry: str) -> None:
    [fault] = faults(tmp_path, f'[protected]\nnumbers = [\n  "+442079460018",\n  "{entry}",\n]\n')
    assert fault.startswith(f"line 4: numbers, entry 2, of [protected] {NUMBER_WANTED} ({number_fault(entry)})")
    assert fault.endswith(repr(entry))


@pytest.mark.parametrize("section", ["delete", "purge"])
def test_an_empty_section_is_refused_with_the_five_lines_it_needs(tmp_path: Path, section: str) -> None:
    found = faults(tmp_path, f"\n[unattended.{section}]\n")
    needed = ("types", "older_than", "read_status", "max_per_call", "max_per_day")
    assert [fault.partition(";")[0] for fault in found] == [
        f"line 2: [unattended.{section}] needs {line}" for line in needed
    ]


@pytest.mark.parametrize("line", ["types", "older_than", "read_status", "max_per_call", "max_per_day"])
def test_each_of_the_five_lines_is_required(tmp_path: Path, line: str) -> None:
    without = "".join(kept for kept in RULE.splitlines(keepends=True) if not kept.startswith(line))
    [fault] = faults(tmp_path, without)
    assert fault.startswith(f"line 1: [unattended.delete] needs {line};")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE + "max_per_dya = 3", "line 7: [unattended.delete] has no 'max_per_dya'; did you mean max_per_day?"),
        (RULE + "senders = []", "line 7: [unattended.delete] has no 'senders'; it takes types, older_than, "),
        ("unatended = 3", "line 1: the file has no 'unatended'; did you mean unattended?"),
        ("[unattended.retention]", "line 1: [unattended] has no 'retention'; it takes delete, purge"),
        ("[limits]\ndry_run = true", "line 2: dry_run is in [limits]; "),
        ("[ limits ] # all\n'max_per_plan' = 201", "line 2: max_per_plan of [limits] is 201, "),
        ("limits.max_per_day = 0", f"line 1: max_per_day of [limits] {WANTED['greater_than_equal']}"),
        ("limits = {max_per_day = -1}", f"line 1: max_per_day of [limits] {WANTED['greater_than_equal']}"),
        ("[limits]\nmax_per_hour = '5'", f"line 2: max_per_hour of [limits] {WANTED['int_type']}"),
        (
            "[limits]\nmax_per_hour = true",
            f"line 2: max_per_hour of [limits] {WANTED['int_type']}",
        ),
        ("dry_run = 'yes'", f"line 1: dry_run {WANTED['bool_type']}"),
        ("dry_run = 1", f"line 1: dry_run {WANTED['bool_type']}"),
        ("protected = ['104']", f"line 1: protected {WANTED['model_type']}"),
        ("[[protected]]", f"line 1: protected {WANTED['model_type']}"),
        ("[protected]\nnumbers = '104'", f"line 2: numbers of [protected] {WANTED['list_type']}"),
        ("[protected]\nnumbers = {}", f"line 2: numbers of [protected] {WANTED['list_type']}"),
        ("[protected]\nnumbers = ['104', 104]", f"line 2: numbers, entry 2, of [protected] {NUMBER_WANTED}"),
        ("[protected]\nnumbers = ['1-800-FLOWERS']", f"line 2: numbers, entry 1, of [protected] {NUMBER_WANTED}"),
        ("[protected]\nnumbers = ['+']", f"line 2: numbers, entry 1, of [protected] {NUMBER_WANTED}"),
        ("[protected]\nnames = [' ']", f"line 2: names, entry 1, of [protected] {NAME_WANTED}"),
        ("[protected]\nnames = ['\u200b\u3164']", f"line 2: names, entry 1, of [protected] {NAME_WANTED}"),
        ("[protected]\nnames = [4]", f"line 2: names, entry 1, of [protected] {NAME_WANTED}"),
        (RULE.replace('"90d"', "90"), f"line 3: older_than of [unattended.delete] {SPAN_WANTED}"),
        (RULE.replace('"90d"', '"0d"'), f"line 3: older_than of [unattended.delete] {SPAN_WANTED}"),
        (RULE.replace('"90d"', '"90"'), f"line 3: older_than of [unattended.delete] {SPAN_WANTED}"),
        (
            RULE.replace('"90d"', '"9999999w"'),
            f"line 3: older_than of [unattended.delete] {SPAN_WANTED}",
        ),
        (
            RULE.replace('"90d"', '"1234567h"'),
            f"line 3: older_than of [unattended.delete] {SPAN_WANTED}",
        ),
        (
            RULE.replace('"90d"', '"99999999w"'),
            f"line 3: older_than of [unattended.delete] {SPAN_WANTED}",
        ),
        (
            RULE.replace('"90d"', '"\u0669d"'),
            f"line 3: older_than of [unattended.delete] {SPAN_WANTED}",
        ),
        (RULE.replace('"Read"', '"read"'), f"{READ_STATUS} is the text 'read'; did you mean Read?"),
        (RULE.replace('"Read"', '"UNREAD"'), f"{READ_STATUS} is the text 'UNREAD'; did you mean Unread?"),
        (RULE.replace('"Read"', '"any"'), f"{READ_STATUS} is the text 'any'; did you mean Any?"),
        (RULE.replace("VoiceMail", "sms"), f"{TYPES} is the text 'sms'; did you mean SMS?"),
        (RULE.replace("VoiceMail", "FAX"), f"{TYPES} is the text 'FAX'; did you mean Fax?"),
        (RULE.replace("VoiceMail", "voice mail"), f"{TYPES} is the text 'voice mail'; did you mean VoiceMail?"),
        (RULE + "direction = 'OUTBOUND'", f"{DIRECTION} is the text 'OUTBOUND'; did you mean Outbound?"),
        (RULE + "MAX_PER_HOUR = 3", "line 7: [unattended.delete] has no 'MAX_PER_HOUR'; did you mean max_per_hour?"),
        ("Dry_Run = true", "line 1: the file has no 'Dry_Run'; did you mean dry_run?"),
        (RULE.replace('"Read"', "true"), "line 4: read_status of [unattended.delete] is true; it takes Read, Unread, "),
        (RULE.replace("VoiceMail", "Email"), "line 2: types, entry 1, of [unattended.delete] is the text 'Email'; "),
        (RULE.replace('"VoiceMail"', ""), f"line 2: types of [unattended.delete] {WANTED['too_short']}"),
        ("a = \n", "line 1: not TOML: "),
        ("a = ", "not TOML: "),
        ("[limits]\n\nmax_per_day = 1 max", "line 3: not TOML: "),
        ("a = " + "[" * 9_000, "is nested "),
        ("[limits]\nmax_per_day = 1" + "0" * 5_000, "contains a number "),
        ("# " + "x" * 1_000_000, "is larger than 1,000,000 "),
    ],
)
def test_a_fault_names_its_line_and_key_and_the_expected_value(tmp_path: Path, text: str, said: str) -> None:
    found = faults(tmp_path, text)
    assert found[0].startswith(said)
    assert len(found) == 1


def test_a_fault_without_a_known_line_names_the_key(tmp_path: Path) -> None:
    assert faults(tmp_path, '"unattended"."delete" = {}')[0].startswith("line 1: [unattended.delete] needs types")
    assert faults(tmp_path, "limits = {\\\n}")  # the fault depends on the TOML reader
    assert faults(tmp_path, "unattended = {delete = {}}")[0].startswith("[unattended.delete] needs types")


def test_all_faults_are_found_in_the_order_of_the_lines_and_one_line_says_how_many(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("[limits]\nmax = 1\n[protected]\nnames = [1]\n[unattended.purge]\ntypes = []\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    places = [int(fault.removeprefix(f"{file}: line ").partition(":")[0]) for fault in caught.value.faults]
    assert places == sorted(places)
    assert str(caught.value).startswith(f"{caught.value.faults[0]} ({len(places) - 1} more: rc-mcp policy check ")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(PolicyError, match="cannot be read") as caught:
            load_policy(path)
        assert str(caught.value).startswith(str(path))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="not a text file in UTF-8"):
        load_policy(tmp_path / "binary")
