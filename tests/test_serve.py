"""examples/serve: four gunicorn workers over mapped weights, as a client sees them."""

import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

import thinc

pytest.importorskip("starlette")
pytest.importorskip("gunicorn")
if not hasattr(os, "fork"):
    pytest.skip("gunicorn forks", allow_module_level=True)

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "serve"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("make_model", FOLDER / "make_model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp("serve") / "model.safetensors"
    assert module.main(path) == 1.0
    return path


class Server:
    def __init__(self, model, workers, **settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--preload", "-k", "asgi", "-w", str(workers)]
        command += ["-b", f"127.0.0.1:{self.port}", "app:app"]
        environment = {**os.environ, "THINC_MODEL": str(model), "HOME": str(model.parent), **settings}
        self.process = subprocess.Popen(command, cwd=FOLDER, env=environment, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        self.wait_for(lambda: self.get("/healthz")[0] == 200)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=30)

    def wait_for(self, condition):
        end = time.monotonic() + 60
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            assert time.monotonic() < end and self.process.poll() is None, "the server does not answer"
            time.sleep(0.1)

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def predict(self, texts):
        status, body = self.request("POST", "/predict", json.dumps({"texts": texts}))
        assert status == 200, body
        return json.loads(body)

    def workers(self):
        return {json.loads(self.get("/healthz")[1])["worker"] for _ in range(40)}


@pytest.fixture(scope="module")
def server(model):
    with Server(model, 4) as server:
        yield server


TEXTS = ["where is the door", "paint the house", "what is it", "", "find the ä b c"]


def test_answers_are_those_of_the_model(server, model):
    answer = server.predict(TEXTS)
    expected = thinc.load(model).predict(TEXTS)
    assert answer["labels"][:3] == ["question", "command", "question"]
    numpy.testing.assert_array_equal(numpy.array(answer["scores"], dtype="f4"), expected)


def test_many_clients_at_once(server, model):
    expected = thinc.load(model).predict(TEXTS).tolist()

    def ask(i):
        return server.predict([TEXTS[i % 5]])["scores"][0] == expected[i % 5]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


@pytest.mark.parametrize(
    "body, status",
    [
        (b"", 422),
        (b"{", 422),
        (b"\xff", 422),
        (b"[" * 100_000, 422),
        (b"[]", 422),
        (b'{"text": "a"}', 422),
        (b'{"texts": "a"}', 422),
        (b'{"texts": []}', 422),
        (b'{"texts": ["a", 1]}', 422),
        (b'{"texts": ["\\ud800"]}', 422),
        (json.dumps({"texts": ["a"] * 65}), 413),
        (json.dumps({"texts": ["a" * 10_001]}), 413),
        (json.dumps({"texts": ["a" * 1_000_000]}), 413),
    ],
)
def test_bad_requests(server, body, status):
    assert server.request("POST", "/predict", body)[0] == status


def test_other_methods_and_paths(server):
    assert server.get("/predict")[0] == 405
    assert server.get("/other")[0] == 404


def test_a_killed_worker_is_replaced(server):
    server.wait_for(lambda: len(server.workers()) == 4)
    killed = server.workers().pop()
    os.kill(killed, signal.SIGKILL)
    server.wait_for(lambda: server.predict(["where is the door"])["labels"] == ["question"])
    server.wait_for(lambda: len(workers := server.workers()) == 4 and killed not in workers)


def test_a_full_queue(model):
    with Server(model, 1, THINC_WAITING="2") as server:
        assert server.request("POST", "/predict", json.dumps({"texts": ["a"] * 3}))[0] == 503
        assert server.predict(["a", "b"])["labels"]
