import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest

import gazelle
from gazelle.callbacks import RemoteMonitor


@pytest.fixture
def server():
    """A server that keeps what it is sent, as `(path, headers, body)`."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, self.headers, body))
            self.send_response(500 if self.path == "/broken" else 204)
            self.end_headers()

        def log_message(self, format, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", received
        running.shutdown()
        thread.join()


LOGS = {"loss": 0.5, "mae": np.float32(0.25), "one": np.arange(1), "bad": float("nan")}
SENT = {"epoch": 3, "loss": 0.5, "mae": 0.25, "one": 0, "bad": None}


def test_logs_are_sent_as_json(server):
    root, received = server
    monitor = RemoteMonitor(root, path="/here", headers={"X-Key": "k"}, send_as_json=True)
    monitor.on_epoch_end(3, LOGS)
    [(path, headers, body)] = received
    assert (path, headers["X-Key"], headers["Content-Type"]) == ("/here", "k", "application/json")
    assert json.loads(body) == SENT


def test_logs_are_sent_in_a_form(server):
    root, received = server
    RemoteMonitor(root, field="logs").on_epoch_end(3, LOGS)
    [(path, headers, body)] = received
    assert path == "/publish/epoch/end/"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert json.loads(parse_qs(body)["logs"][0]) == SENT


def test_a_fit_sends_every_epoch(server):
    root, received = server
    model = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2))
    history = model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[RemoteMonitor(root)])
    sent = [json.loads(parse_qs(body)["data"][0]) for _, _, body in received]
    assert sent == [{"epoch": n, "loss": history.history["loss"][n]} for n in range(2)]


def test_a_server_that_does_not_answer_or_refuses_is_a_warning(server):
    root, _ = server
    with pytest.warns(UserWarning, match="answers 500"):
        RemoteMonitor(root, path="/broken").on_epoch_end(0, LOGS)
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server"):
        RemoteMonitor("http://127.0.0.1:1").on_epoch_end(0, LOGS)


def test_only_servers_are_sent_to():
    with pytest.raises(ValueError, match="sends to a server"):
        RemoteMonitor("file:///tmp/x")
