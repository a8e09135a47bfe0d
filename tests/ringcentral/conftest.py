"""Runs all tests of the client on asyncio and on trio, without a network."""

import pytest


@pytest.fixture(params=["asyncio", pytest.param("trio", marks=pytest.mark.trio)])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param
