"""A group of threads in one process: what the tests of several workers run on without Ray."""

import collections
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy

from thinc.distributed.group import Group, LostWorker


class Hall:
    """Where the threads meet: the parts of each round, and whether one of them has failed."""

    def __init__(self, size, timeout):
        self.size, self.timeout = size, timeout
        self.rounds = collections.defaultdict(dict)
        self.failed = False
        self.changed = threading.Condition()

    def fail(self):
        with self.changed:
            self.failed = True
            self.changed.notify_all()


class Threads(Group):
    def __init__(self, hall, rank):
        self.hall, self.rank, self.size = hall, rank, hall.size
        self.number = 0

    def exchange(self, parts):
        hall = self.hall
        self.number += 1
        with hall.changed:
            box = hall.rounds[self.number]
            box[self.rank] = [as_sent(part) for part in parts]
            hall.changed.notify_all()
            hall.changed.wait_for(lambda: len(box) == self.size or hall.failed, hall.timeout)
            if len(box) < self.size:
                raise LostWorker(f"rank {self.rank}: another rank is gone or hangs")
            hall.rounds.pop(self.number - 2, None)
            return [box[i][self.rank] for i in range(self.size)]


def as_sent(message):
    """A copy that cannot be written to, as what comes from another process."""
    if isinstance(message, numpy.ndarray):
        message = message.copy()
        message.flags.writeable = False
    elif isinstance(message, list):
        return [as_sent(item) for item in message]
    elif isinstance(message, tuple) and hasattr(message, "_fields"):
        return type(message)(*map(as_sent, message))
    elif isinstance(message, tuple):
        return tuple(map(as_sent, message))
    return message


def run(size, function, timeout=5.0):
    """function(group) on each rank; the results. The first error of any rank is raised, one that is not LostWorker
    before those."""
    hall = Hall(size, timeout)

    def one(rank):
        try:
            return function(Threads(hall, rank))
        except BaseException as e:
            hall.fail()
            return e

    with ThreadPoolExecutor(size) as pool:
        results = list(pool.map(one, range(size)))
    errors = [r for r in results if isinstance(r, BaseException)]
    for error in sorted(errors, key=lambda e: isinstance(e, LostWorker)):
        raise error
    return results
