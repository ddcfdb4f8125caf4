import pathlib
import sys
import time

import pytest
import redis

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parents[2] / "client" / "python")]

import nearcache_data  # noqa: E402

PATIENCE = 60  # seconds: a machine may stand still for some


@pytest.fixture
def address():
    return nearcache_data.address()


@pytest.fixture(autouse=True)
def empty(address):
    """Every test begins with an empty server."""
    host, port = address
    with redis.Redis(host=host, port=port) as r:
        try:
            for name in r.execute_command("FT._LIST"):
                r.execute_command("FT.DROPINDEX", name)
        except redis.ResponseError as e:  # real Redis without the search module
            assert "unknown command" in str(e)
        r.flushall()


@pytest.fixture
def wait():
    """Calls until the result is what it should be; fails after a minute."""

    def wait(call, want):
        deadline = time.monotonic() + PATIENCE
        while (got := call()) != want:
            assert time.monotonic() < deadline, f"still {got!r}, want {want!r}"
            time.sleep(0.002)

    return wait
