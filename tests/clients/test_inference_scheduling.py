"""tritonclient[http], unmodified, from many threads: everyone gets its own rows; full queues, deadlines, priorities, clients that vanish."""
import concurrent.futures
import contextlib
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request

import numpy
import pytest
import tritonclient.http as triton
from serve_support import Serve, deep_model
from tritonclient.utils import InferenceServerException

WIDTH, QUEUE = 256, 4


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Merges freely."""
    with Serve(tmp_path_factory.mktemp("serve")).running() as running:
        assert running.put("deep", 1, deep_model(200))[0] in (200, 201)
        yield running


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """One lane, a short queue, and a model that holds the lane for long."""
    with Serve(tmp_path_factory.mktemp("narrow"), {"scheduling": {"lanes": 1, "queue": QUEUE, "merge": False}}).running() as running:
        assert running.put("slow", 1, deep_model(4000))[0] in (200, 201)
        yield running


def ask(serve: Serve, model: str, values: numpy.ndarray, **more) -> numpy.ndarray:
    with triton.InferenceServerClient(serve.address, network_timeout=120) as own:
        made = triton.InferInput("x", list(values.shape), "FP32")
        made.set_data_from_numpy(values)
        return own.infer(model, [made], **more).as_numpy("y")


def row(value: float = 1) -> numpy.ndarray:
    return numpy.full((1, WIDTH), value, numpy.float32)


def failures(serve: Serve, reason: str) -> int:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return int(re.search(rf'nv_inference_request_failure{{model="slow",version="1",reason="{reason}"}} (\d+)', answer.read().decode()).group(1))


def waiting(serve: Serve) -> int:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return int(re.search(r'nv_inference_pending_request_count{model="slow",version="1"} (\d+)', answer.read().decode()).group(1))


def until_waiting(serve: Serve, count: int) -> None:
    deadline = time.monotonic() + 60
    while waiting(serve) != count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def held(narrow):
    """The lane runs `batch` rows for a second or so; ends when they are done."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        start = time.monotonic()
        ask(narrow, "slow", row())
        rows = max(1, int(1.5 / max(time.monotonic() - start, 0.001) * 4))
        blocker = pool.submit(ask, narrow, "slow", numpy.ones((rows, WIDTH), numpy.float32))
        time.sleep(0.05)
        until_waiting(narrow, 0)
        yield pool
        assert blocker.result().shape == (rows, WIDTH)


def test_everyone_gets_exactly_its_rows(serve):
    wrong = []

    def client(seed: int) -> None:
        random = numpy.random.default_rng(seed)
        for _ in range(25):
            values = random.random((int(random.integers(1, 6)), WIDTH), numpy.float32)
            if not numpy.array_equal(ask(serve, "deep", values), numpy.roll(values, 200 % WIDTH, axis=1)):
                wrong.append(seed)
    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with triton.InferenceServerClient(serve.address) as client_:
        stats = client_.get_inference_statistics("deep")["model_stats"][0]
    assert stats["inference_count"] == 12 * 25
    assert stats["execution_count"] < 12 * 25 and max(batch["batch_size"] for batch in stats["batch_stats"]) > 1, "nothing was merged"


def test_quick_requests_that_are_there_together_are_one_run_and_each_gets_its_rows(serve):
    assert serve.put("quick", 1, deep_model(3))[0] in (200, 201)
    random = numpy.random.default_rng(1)
    head = json.dumps({"inputs": [{"name": "x", "shape": [1, WIDTH], "datatype": "FP32", "parameters": {"binary_data_size": 4 * WIDTH}}],
                       "parameters": {"binary_data_output": True}}).encode()
    start = (f"POST /v2/models/quick/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: {len(head)}\r\n"
             f"Content-Length: {len(head) + 4 * WIDTH}\r\n\r\n").encode()
    host, port = serve.address.split(":")
    with contextlib.ExitStack() as open_:
        sockets = [open_.enter_context(socket.create_connection((host, int(port)), timeout=60)) for _ in range(16)]
        answers = [open_.enter_context(each.makefile("rb")) for each in sockets]
        for _ in range(200):
            values = random.random((16, 1, WIDTH), numpy.float32)
            for each, row_ in zip(sockets, values):
                each.sendall(start + head + row_.tobytes())
            for answer, row_ in zip(answers, values):
                assert answer.readline().startswith(b"HTTP/1.1 200")
                headers = dict(line.rstrip().split(b": ", 1) for line in iter(answer.readline, b"\r\n"))
                body = answer.read(int(headers[b"Content-Length"]))[int(headers[b"Inference-Header-Content-Length"]):]
                assert numpy.array_equal(numpy.frombuffer(body, numpy.float32), numpy.roll(row_[0], 3 % WIDTH))
    with triton.InferenceServerClient(serve.address) as client_:
        stats = client_.get_inference_statistics("quick")["model_stats"][0]
    assert stats["inference_count"] == 16 * 200
    assert stats["execution_count"] < 16 * 200 and max(batch["batch_size"] for batch in stats["batch_stats"]) > 1, "nothing was merged"


def test_a_full_queue_says_429_and_when_to_come_back(narrow, held):
    before = failures(narrow, "REJECTED")
    asked = [held.submit(ask, narrow, "slow", row(value)) for value in range(QUEUE)]
    until_waiting(narrow, QUEUE)
    with pytest.raises(InferenceServerException) as error:
        ask(narrow, "slow", row())
    assert error.value.status() == "429" and "queue" in error.value.message()
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": row().tolist()}]}).encode()
    with pytest.raises(urllib.error.HTTPError) as plain:
        urllib.request.urlopen(f"http://{narrow.address}/v2/models/slow/infer", body, timeout=60)
    assert plain.value.code == 429 and int(plain.value.headers["Retry-After"]) >= 1
    assert failures(narrow, "REJECTED") == before + 2
    for value, each in enumerate(asked):  # those that were let in are answered all the same
        assert numpy.array_equal(each.result(), row(value))


def test_a_deadline_is_kept(narrow, held):
    start = time.monotonic()
    with pytest.raises(InferenceServerException) as error:
        ask(narrow, "slow", row(), timeout=50_000)  # µs, Triton's parameter
    assert error.value.status() == "504" and "deadline" in error.value.message()
    assert 0.05 <= time.monotonic() - start and waiting(narrow) == 0
    for path, body in (("v2/models/slow/infer", {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": row().tolist()}]}),
                       ("score", {"data": row().tolist()})):
        request = urllib.request.Request(f"http://{narrow.address}/{path}", json.dumps(body).encode(), {"Holdfast-Timeout-Ms": "40"})
        with pytest.raises(urllib.error.HTTPError) as late:
            urllib.request.urlopen(request, timeout=60)
        assert late.value.code == 504
    assert numpy.array_equal(ask(narrow, "slow", row(7), timeout=60_000_000), row(7))


def test_the_higher_priority_is_answered_first(narrow, held):
    done = []
    asked = []
    for name, priority in (("low", 9), ("default", 0), ("high", 1)):
        def call(name: str = name, priority: int = priority) -> None:
            ask(narrow, "slow", row(), priority=priority)
            done.append(name)
        asked.append(held.submit(call))
        until_waiting(narrow, len(asked))
    for each in asked:
        each.result()
    assert done == ["high", "default", "low"]


def test_nothing_is_run_for_clients_that_vanished(narrow, held):
    before, host = failures(narrow, "CANCELED"), narrow.address.split(":")
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": row().tolist()}]}).encode()
    with socket.create_connection((host[0], int(host[1]))) as client:
        client.sendall(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        until_waiting(narrow, 1)
    time.sleep(0.05)
    until_waiting(narrow, 0)
    deadline = time.monotonic() + 30
    while failures(narrow, "CANCELED") != before + 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("headers, parameters, word", [
    ({"Holdfast-Timeout-Ms": "soon"}, {}, "Holdfast-Timeout-Ms"), ({"Holdfast-Timeout-Ms": "0"}, {}, "Holdfast-Timeout-Ms"),
    ({}, {"timeout": -1}, "timeout"), ({}, {"timeout": "1"}, "timeout"), ({}, {"priority": 1.5}, "priority")])
def test_what_is_wrong_with_a_deadline_is_named(serve, headers, parameters, word):
    body = {"parameters": parameters, "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": row().tolist()}]}
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(urllib.request.Request(f"http://{serve.address}/v2/models/deep/infer", json.dumps(body).encode(), headers), timeout=60)
    assert error.value.code == 400 and word in json.load(error.value)["error"]


def test_a_configuration_that_makes_no_sense_is_refused(tmp_path):
    import subprocess
    from serve_support import BIN
    (tmp_path / "serve.yaml").write_text("data: x\nscheduling: {queue: 0}\n")
    made = subprocess.run([BIN / "holdfast-serve", "--check", "--config", tmp_path / "serve.yaml"], capture_output=True, text=True, timeout=30)
    assert made.returncode == 2 and "queue" in made.stderr
