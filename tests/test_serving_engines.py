"""The services of docs/how-to/serving.md on their engines, as clients see them: where these packages are installed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

import thinc
from tests.shared import ROOT

if not hasattr(os, "killpg"):
    pytest.skip("ends the processes of a server by their group", allow_module_level=True)

TEXTS = ["where is the door", "paint the house", "", "find the ä b c"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """What stands below a heading of the page, in a folder with the model that it opens, run by a command."""

    def __init__(self, heading, folder, path, *command):
        page = (ROOT / "docs" / "how-to" / "serving.md").read_text(encoding="utf8")
        section = re.search(rf"^## {heading}\n.*?^```python\n(.*?)^```", page, re.M | re.S)
        (folder / "service.py").write_text(section[1])
        make_model = [sys.executable, str(ROOT / "examples" / "serve" / "make_model.py"), "model.safetensors"]
        subprocess.run(make_model, cwd=folder, check=True)
        self.expected = thinc.load(folder / "model.safetensors").predict(TEXTS)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{path}"
        settings = {"HOME": str(folder), "BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": "."}
        settings.update(RAY_TMPDIR=str(folder), RAY_USAGE_STATS_ENABLED="0", THINC_PORT=str(self.port))
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [sys.executable, *(word.replace("{port}", str(self.port)) for word in command)],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def __enter__(self):
        end = time.monotonic() + 180
        while True:
            try:
                return self if self.ask({"texts": TEXTS, "text": TEXTS[0]}) else self
            except OSError as error:
                self.log.seek(0)
                waited = time.monotonic() > end or self.process.poll() is not None
                assert not waited, f"no answer: {error}\n{self.log.read()[-3000:]}"
                time.sleep(0.5)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        finally:
            self.process.poll() is None and os.killpg(self.process.pid, signal.SIGKILL)
            self.log.close()

    def ask(self, body):
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as name:  # (that of pytest is too long a name for the sockets of Ray)
        yield Path(name)


def test_bentoml(folder):
    pytest.importorskip("bentoml")
    with Service("BentoML", folder, "/predict", "-m", "bentoml", "serve", "service:Classifier", "-p", "{port}") as it:
        numpy.testing.assert_array_equal(numpy.array(it.ask({"texts": TEXTS}), "f4"), it.expected)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: it.ask({"texts": [TEXTS[i % 4]]}), range(100)))
        for i, answer in enumerate(answers):
            numpy.testing.assert_array_equal(numpy.array(answer, "f4"), it.expected[i % 4 : i % 4 + 1])


RUN = """
import os
import signal
import ray
from ray import serve
from service import app

signal.signal(signal.SIGINT, signal.default_int_handler)  # (else ignored where a shell started us in the background)
ray.init(num_cpus=2, include_dashboard=False)
serve.start(http_options={"port": int(os.environ["THINC_PORT"])})
serve.run(app)
try:
    signal.pause()
except KeyboardInterrupt:
    serve.shutdown()
    ray.shutdown()
"""


def test_ray_serve(folder):
    pytest.importorskip("ray.serve")
    with Service("Ray Serve", folder, "/", "-c", RUN) as it:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: it.ask({"text": TEXTS[i % 4]}), range(100)))
        for i, answer in enumerate(answers):
            numpy.testing.assert_array_equal(numpy.array(answer, "f4"), it.expected[i % 4])
