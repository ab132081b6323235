"""Parallel training by hand: workers on Ray, each of which owns some of the parameters.

    python examples/parallel_training_ray.py

The nodes of a model keep their arrays in a store that may have a proxy. Here it sends each gradient to the worker that
owns the parameter, which updates it once a quorum has come and sends the new version to all. Nobody waits for anybody:
a gradient of an old version is thrown away. `thinc.distributed` adds checkpoints, restarts, packing and time limits.
"""

import threading
from collections import Counter

import ray

from thinc.cli import CONFIGS
from thinc.training import evaluate, initialize, select, settle, shuffled_batches

OVERRIDES = {"corpus.limit": 40, "training.batch_size": 16, "optimizer.learn_rate": 0.003}


class Proxy:
    """What the nodes see instead of their own arrays. Parameters are known by their place in the tree."""

    def __init__(self, model, optimizer, rank, peers, quorum):
        self.optimizer, self.rank, self.peers, self.quorum = optimizer, rank, peers, quorum
        self.place, self.params, self.versions, self.lock = {}, {}, Counter(), threading.RLock()
        self.sums, self.counts, self.dropped = {}, Counter(), 0
        for i, node in enumerate(model.walk()):
            for name in node.param_names:
                self.place[node.id, name] = (i, name)
                self.params[i, name] = node.get_param(name)
            node._params.proxy = self
        self.owners = {place: i % len(peers) for i, place in enumerate(self.params)}

    def get_param(self, model_id, name):
        return self.params[self.place[model_id, name]]

    def set_param(self, model_id, name, value):
        self.params[self.place[model_id, name]] = value

    def inc_grad(self, model_id, name, value):
        place = self.place[model_id, name]
        owner = self.owners[place]
        if owner == self.rank:
            self.receive_grad(place, self.versions[place], value)
        else:
            self.peers[owner].receive_grad.remote(place, self.versions[place], value)

    set_grad = inc_grad

    def receive_grad(self, place, version, value):
        """For the owner: add it; with a quorum, update the parameter and send it to all."""
        with self.lock:
            if version != self.versions[place]:
                self.dropped += 1
                return
            self.sums[place] = self.sums[place] + value if self.counts[place] else value.copy()
            self.counts[place] += 1
            if self.counts[place] < self.quorum:
                return
            new = self.params[place].copy()
            self.optimizer(place, new, self.sums[place] / self.counts[place])
            self.receive_param(place, version + 1, new)
            for rank, peer in enumerate(self.peers):
                if rank != self.rank:
                    peer.receive_param.remote(place, version + 1, new)

    def receive_param(self, place, version, value):
        with self.lock:
            self.params[place], self.versions[place], self.counts[place] = value, version, 0


@ray.remote(num_cpus=1, max_concurrency=2)  # one thread trains, one receives
class Worker:
    def __init__(self, rank, n_workers):
        self.rank, self.n_workers = rank, n_workers
        self.run = settle(CONFIGS / "tagger.cfg", OVERRIDES)
        self.data = self.run.corpus.read()
        initialize(self.run.model, self.data, seed=0)

    def meet(self, peers, quorum):
        self.proxy = Proxy(self.run.model, self.run.optimizer, self.rank, peers, quorum)

    def train_epoch(self, epoch):
        for batch in shuffled_batches(len(self.data.train), self.run.settings, epoch):
            X, Y = select(self.data.train, batch[self.rank :: self.n_workers])
            if X:
                Yh, backprop = self.run.model.begin_update(X)
                backprop(self.run.settings.loss(Yh, Y)[0])
        return self.proxy.dropped

    def receive_grad(self, *args):
        self.proxy.receive_grad(*args)

    def receive_param(self, *args):
        self.proxy.receive_param(*args)

    def score(self):
        return evaluate(self.run.model, self.data.dev, self.data).values["accuracy"]


def main(n_workers=2, n_epochs=3, quorum=1):
    """Train; the accuracy before the first epoch and after each."""
    ray.init(num_cpus=n_workers, include_dashboard=False, ignore_reinit_error=True)  # it ends with this process
    workers = [Worker.remote(rank, n_workers) for rank in range(n_workers)]
    ray.get([worker.meet.remote(workers, quorum) for worker in workers])
    scores = [ray.get(workers[0].score.remote())]
    for epoch in range(n_epochs):
        dropped = ray.get([worker.train_epoch.remote(epoch) for worker in workers])
        scores.append(ray.get(workers[0].score.remote()))
        print(f"epoch {epoch + 1}: accuracy {100 * scores[-1]:.2f} %, {sum(dropped)} gradients dropped so far")
    return scores


if __name__ == "__main__":
    main()
