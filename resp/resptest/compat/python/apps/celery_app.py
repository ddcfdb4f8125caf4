"""The application that test_celery.py runs with a worker process."""

import os

from celery import Celery

broker = "redis://%s" % os.environ["NEARCACHE_ADDR"]
app = Celery("app", broker=broker + "/0", backend=broker + "/1")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    result_expires=600,
    task_track_started=True,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=True,
)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def flaky(self, fails):
    if self.request.retries < fails:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def broken():
    raise ValueError("as it must")
