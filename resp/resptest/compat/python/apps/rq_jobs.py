"""What the workers of test_rq.py run."""

import os

tries = {}


def add(a, b):
    return a + b


def fails():
    raise ValueError("as it must")


def fails_once(path):
    if not os.path.exists(path):
        open(path, "w").close()
        raise ValueError("the first time")
    return "done"
