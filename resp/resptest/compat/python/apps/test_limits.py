"""limits, the rate limiter of Flask-Limiter and others: its Lua scripts."""

import asyncio
import threading

import limits
import pytest
from limits import aio


@pytest.fixture
def url(address):
    return "redis://%s:%d" % address


STRATEGIES = ["FixedWindowRateLimiter", "MovingWindowRateLimiter", "SlidingWindowCounterRateLimiter"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rate_limits(url, strategy):
    store = limits.storage.storage_from_string(url)
    limiter = getattr(limits.strategies, strategy)(store)
    ten = limits.parse("10/day")
    assert [limiter.hit(ten, "user") for _ in range(12)] == [True] * 10 + [False] * 2
    assert limiter.test(ten, "user") is False and limiter.test(ten, "other") is True
    assert limiter.get_window_stats(ten, "user").remaining == 0
    limiter.clear(ten, "user")
    assert limiter.hit(ten, "user", cost=7)
    assert limiter.get_window_stats(ten, "user").remaining == 3
    assert not limiter.hit(ten, "user", cost=4)
    assert store.check()
    store.reset()
    assert limiter.get_window_stats(ten, "user").remaining == 10


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_more_pass_when_many_ask(url, strategy):
    limiter = getattr(limits.strategies, strategy)(limits.storage.storage_from_string(url))
    limit = limits.parse("50/day")
    passed = []

    def ask():
        passed.append(sum(limiter.hit(limit, "user") for _ in range(40)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(passed) == 50


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_asyncio(url, strategy):
    async def main():
        limiter = getattr(aio.strategies, strategy)(limits.storage.storage_from_string("async+" + url, implementation="redispy"))
        limit = limits.parse("10/day")
        got = await asyncio.gather(*(limiter.hit(limit, "user") for _ in range(15)))
        assert sum(got) == 10

    asyncio.run(main())
