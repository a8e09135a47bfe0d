"""Runs all tests of the client on asyncio, without a network."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
