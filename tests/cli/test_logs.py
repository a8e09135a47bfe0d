"""Log lines cannot control a terminal."""

import logging

import pytest

from rc_mcp.cli import logs


def test_control_bidi_and_lone_surrogate_characters_are_escaped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.log_to_stderr()
    logging.getLogger("x").warning("a\x1b[2Jb\u202ec\ud800")
    assert capsys.readouterr().err == "rc-mcp: WARNING x: a\\x1b[2Jb\\u202ec\\ud800\n"
