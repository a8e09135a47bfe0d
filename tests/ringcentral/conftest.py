"""All tests of the client run on asyncio, and none of them on a network."""

import pytest
from hypothesis import settings

# The first example of a test pays for imports, and a busy machine for the rest.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
