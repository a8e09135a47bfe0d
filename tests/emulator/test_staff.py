"""An office with as many users as a test wants."""

from rc_mcp.emulator import Emulator


def test_each_of_the_staff_has_a_login_and_a_mailbox_of_its_own() -> None:
    with Emulator(scenario="empty", staff=50) as emulator:
        staff = [user for user in emulator.users if user.username.startswith("staff")]

        assert len({user.password for user in staff}) == 50
        assert len({id(emulator.mailboxes[user.extension_id]) for user in staff}) == 50
        assert not any(emulator.mailboxes[user.extension_id].messages() for user in staff)


def test_without_staff_the_office_is_the_same_as_ever() -> None:
    with Emulator() as emulator, Emulator(staff=2) as larger:
        assert larger.users[: len(emulator.users)] == emulator.users
        assert [m["id"] for m in larger.store.messages()] == [m["id"] for m in emulator.store.messages()]
