"""OCR in the worker: what it writes."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from rc_mcp.media.protocol import Done, Opened, PageText, Task, WorkerMessage
from tests import documents

MESSAGE: TypeAdapter[WorkerMessage] = TypeAdapter(WorkerMessage)


@pytest.mark.process
def test_ocr_writes_only_messages_on_stdout_and_nothing_on_stderr(tmp_path: Path) -> None:
    fax = tmp_path / "fax.tif"
    fax.write_bytes(documents.tiff([documents.page("Visits approved: 8", "Ask again in May")]))
    task = Task(kind="image/tiff", ways=["ocr"], pages=[(1, None, 1)])
    with fax.open("rb") as file:
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "rc_mcp.media.worker", task.model_dump_json()],
            stdin=file,
            capture_output=True,
            cwd=tmp_path,
            timeout=300,
            check=True,
        )
    opened, read, done = (MESSAGE.validate_json(line) for line in ran.stdout.splitlines())
    assert (type(opened), type(done), ran.stderr) == (Opened, Done, b"")
    assert isinstance(read, PageText)
    assert "Visits" in read.text
