"""RQ with a worker process."""

import datetime
import os
import pathlib
import subprocess
import sys

import pytest
import redis
import rq_jobs
from rq import Queue, Retry
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry


@pytest.fixture
def r(address):
    with redis.Redis(host=address[0], port=address[1]) as r:
        yield r


def work(address, *options):
    p = subprocess.run(
        [sys.executable, "-m", "rq.cli", "worker", "--url", "redis://%s:%d" % address, "--burst", *options, "high", "low"],
        cwd=pathlib.Path(__file__).parent, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(pathlib.Path(__file__).parent)),
        capture_output=True, text=True, timeout=120,
    )
    assert p.returncode == 0, p.stderr
    return p.stderr


def test_worker_process(r, address, tmp_path):
    high, low = Queue("high", connection=r), Queue("low", connection=r)
    first = low.enqueue(rq_jobs.add, 1, 2)
    second = high.enqueue(rq_jobs.add, 3, 4)
    last = low.enqueue(rq_jobs.add, 5, 6, depends_on=[first, second])
    failed = low.enqueue(rq_jobs.fails)
    again = low.enqueue(rq_jobs.fails_once, str(tmp_path / "once"), retry=Retry(max=2))
    later = low.enqueue_in(datetime.timedelta(days=1), rq_jobs.add, 7, 8)
    assert len(low) == 3 and len(high) == 1 and last.get_status() == "deferred"
    work(address)
    assert [j.return_value() for j in (first, second, last, again)] == [3, 7, 11, "done"]
    assert second.latest_result().created_at <= first.latest_result().created_at  # high before low
    assert failed.get_status(refresh=True) == "failed"
    assert "as it must" in failed.latest_result().exc_string
    assert failed.id in FailedJobRegistry(queue=low)
    assert set(FinishedJobRegistry(queue=low).get_job_ids()) >= {first.id, last.id, again.id}
    assert later.id in ScheduledJobRegistry(queue=low)
    later.cancel()
    failed.requeue()
    assert len(low) == 1
    low.empty()
    assert len(low) == 0


def test_scheduler(r, address):
    low = Queue("low", connection=r)
    job = low.enqueue_at(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1), rq_jobs.add, 1, 2)
    work(address, "--with-scheduler")
    assert job.return_value() == 3
