"""All tests of the client run on asyncio, and none of them on a network."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
