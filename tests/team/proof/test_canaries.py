"""The judge of the proof finds what it looks for."""

from base64 import b64encode

from tests.team.proof.canaries import Canaries


def test_it_finds_a_canary_however_it_is_written() -> None:
    canaries = Canaries()
    canaries.plant(1, "zqabcdefghij", "+12015550001", "2406000123008")

    for said in (
        b'{"text":"hello zqabcdefghij"}',
        b"location: /messages/2406000123008/content",
        b'"(201) 555-0001 called"',
        b64encode(b"RIFF----------------------------- zqabcdefghij ----------"),
        b'{"blob":"' + b64encode(b"\0" * 500 + b" zqabcdefghij " + b"\0" * 500) + b'"}',
    ):
        assert [owner for owner, _ in canaries.others(said, reader=2)] == [1], said
        assert canaries.others(said, reader=1) == []


def test_what_the_reader_sent_may_come_back_and_what_two_have_is_nobodys() -> None:
    canaries = Canaries()
    canaries.plant(1, "2406000123008", "sharedsharedshared")
    canaries.plant(2, "sharedsharedshared")

    assert canaries.others(b"no message 2406000123008, sharedsharedshared", 2, {b"2406000123008"}) == []
