import os

import pytest


@pytest.fixture
def url():
    """Where the server speaks HTTP."""
    return "http://" + os.environ["NEARCACHE_HTTP"]
