"""The worker process as a whole."""

import subprocess
import sys

import pytest

from rc_mcp.media.protocol import Failed, Task


@pytest.mark.process
def test_a_document_is_not_called_damaged_because_a_library_is_missing() -> None:
    without = "import sys; sys.modules['pypdfium2'] = None; from rc_mcp.media.worker.__main__ import main; main()"
    task = Task(kind="application/pdf", ways=["picture"], pages=[(1, None, 1)]).model_dump_json()
    ran = subprocess.run([sys.executable, "-P", "-c", without, task], input=b"", capture_output=True, timeout=60)
    assert Failed.model_validate_json(ran.stdout) == Failed(reason="failed")
