"""Celery and kombu with a worker process: queue, results, groups, chords, retries, remote control."""

import os
import pathlib
import subprocess
import sys

import celery_app
import pytest
import redis
from celery import chain, chord, group

WAIT = 60


@pytest.fixture
def worker(tmp_path, address):
    log = tmp_path / "worker.log"
    with log.open("w") as out:
        p = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool", "prefork", "--concurrency", "2",
             "--loglevel", "INFO", "--hostname", "w1@nearcache"],
            cwd=pathlib.Path(__file__).parent, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"), stdout=out, stderr=out,
        )
        try:
            yield p
        finally:
            p.terminate()
            try:
                code = p.wait(timeout=WAIT)
            except subprocess.TimeoutExpired:
                p.kill()
                raise
            print(log.read_text())
        assert code == 0


def test_a_worker_process(worker, wait):
    a = celery_app
    assert a.add.delay(1, 2).get(timeout=WAIT) == 3
    # Chains, groups, chords: the last waits for all, counted in the result backend.
    assert chain(a.add.s(1, 2), a.add.s(3), a.add.s(4))().get(timeout=WAIT) == 10
    assert group(a.add.s(i, i) for i in range(20))().get(timeout=WAIT) == [2 * i for i in range(20)]
    assert chord((a.add.s(i, 1) for i in range(20)), a.total.s())().get(timeout=WAIT) == sum(range(1, 21))
    # Retries go through the unacked set; a countdown is a time in the worker.
    assert a.flaky.delay(2).get(timeout=WAIT) == 2
    assert a.add.apply_async((5, 6), countdown=0.2).get(timeout=WAIT) == 11
    with pytest.raises(ValueError, match="as it must"):
        a.broken.delay().get(timeout=WAIT)
    # Remote control is a fanout exchange: messages and a reply queue.
    control = {"destination": ["w1@nearcache"], "timeout": 2}
    wait(lambda: a.app.control.ping(**control), [{"w1@nearcache": {"ok": "pong"}}])
    wait(lambda: list(a.app.control.inspect(**control).registered() or []), ["w1@nearcache"])
    r = a.add.apply_async((1, 1), countdown=3600)
    r.revoke()
    r.forget()


def test_nothing_is_left_behind(worker, address, wait):
    results = [celery_app.add.delay(i, i) for i in range(50)]
    assert [r.get(timeout=WAIT) for r in results] == [2 * i for i in range(50)]
    with redis.Redis(host=address[0], port=address[1], db=0) as r:
        wait(lambda: (r.llen("celery"), r.hlen("unacked"), r.zcard("unacked_index")), (0, 0, 0))
    for result in results:
        result.forget()
    with redis.Redis(host=address[0], port=address[1], db=1) as r:
        assert r.keys("celery-task-meta-*") == []
