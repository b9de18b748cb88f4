"""tritonclient, unmodified, HTTP and gRPC, on models whose runs fail and on a server that dies: refused at once, tried again, quarantined."""
import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from serve_support import BIN, Serve, deep_model, picky_model, scale_model
from tritonclient.utils import InferenceServerException

GOOD, BAD = 2.0, 5.0  # values that the picky model takes, and at which the engine fails


def ask(serve: Serve, model: str, value: float = GOOD, width: int = 2, rows: int = 1, **more):
    with triton.InferenceServerClient(serve.address, network_timeout=120) as client:
        given = triton.InferInput("x", [rows, width], "FP32")
        given.set_data_from_numpy(numpy.full((rows, width), value, numpy.float32))
        return client.infer(model, [given], **more)


def ask_grpc(serve: Serve, model: str, value: float = GOOD):
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        given = triton_grpc.InferInput("x", [1, 2], "FP32")
        given.set_data_from_numpy(numpy.full((1, 2), value, numpy.float32))
        return client.infer(model, [given])


def metric(serve: Serve, name: str, labels: str) -> float:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return float(re.search(rf"^{name}{{{labels}}} (.+)$", answer.read().decode(), re.MULTILINE).group(1))


def index(serve: Serve) -> dict[tuple[str, str], tuple[str, str]]:
    with triton.InferenceServerClient(serve.address) as client:
        return {(row["name"], row["version"]): (row["state"], row["reason"]) for row in client.get_model_repository_index()}


def test_a_failing_model_is_refused_at_once_and_comes_back(tmp_path):
    with Serve(tmp_path, {"breaker": {"failures": 3, "backoff": "300ms"}}).running() as serve:
        assert serve.put("picky", 1, picky_model())[0] == 201
        for call in (ask, ask_grpc):
            assert call(serve, "picky").as_numpy("y").tolist() == [GOOD, GOOD]
            for _ in range(3):
                with pytest.raises(InferenceServerException) as error:
                    call(serve, "picky", BAD)
                assert "not run for now" not in error.value.message(), "the engine's own error"
            assert metric(serve, "holdfast_inference_breaker_open", 'model="picky",version="1"') == 1
            runs = metric(serve, "nv_inference_exec_count", 'model="picky",version="1"')
            with pytest.raises(InferenceServerException) as error:
                call(serve, "picky", GOOD)  # also what would succeed
            assert "3 times in a row" in error.value.message()
            assert error.value.status() == ("503" if call is ask else "StatusCode.UNAVAILABLE")
            assert metric(serve, "nv_inference_exec_count", 'model="picky",version="1"') == runs, "nothing was run"
            state, reason = index(serve)["picky", "1"]
            assert state == "READY" and "3 times in a row" in reason
            deadline = time.monotonic() + 30
            while True:  # one request tries when the backoff has passed
                with contextlib.suppress(InferenceServerException):
                    call(serve, "picky", GOOD)
                    break
                assert time.monotonic() < deadline
            assert index(serve)["picky", "1"] == ("READY", "")
        assert metric(serve, "holdfast_inference_breaker_opened_total", 'model="picky",version="1"') == 2


def test_a_refusal_says_when_to_come_again(tmp_path):
    with Serve(tmp_path, {"breaker": {"failures": 1, "backoff": "1h", "longest": "1h"}}).running() as serve:
        assert serve.put("picky", 1, picky_model())[0] == 201
        with pytest.raises(InferenceServerException):
            ask(serve, "picky", BAD)
        body = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [2, 2]}]}).encode()
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://{serve.address}/v2/models/picky/infer", body, timeout=10)
        assert error.value.code == 503 and int(error.value.headers["Retry-After"]) >= 1


def test_bad_values_open_nothing(tmp_path):
    with Serve(tmp_path, {"breaker": {"failures": 2}}).running() as serve:
        assert serve.put("scale", 1, scale_model(3))[0] == 201
        for _ in range(5):
            with pytest.raises(InferenceServerException):
                ask(serve, "scale", width=3)
        assert ask(serve, "scale").as_numpy("y").tolist() == [[3 * GOOD, 3 * GOOD]]


def test_the_version_before_answers_where_that_is_wanted(tmp_path):
    with Serve(tmp_path, {"breaker": {"failures": 2, "backoff": "1h", "longest": "1h", "fall_back": True}}).running() as serve:
        assert serve.put("m", 1, picky_model())[0] == 201
        assert serve.put("m", 2, picky_model())[0] == 201
        # The same network twice: only the version in the answer tells them apart.
        for _ in range(2):
            with pytest.raises(InferenceServerException):
                ask(serve, "m", BAD, model_version="2")
        for call in (ask, ask_grpc):
            for _ in range(3):
                answer = call(serve, "m")
                assert answer.get_response()["model_version"] == "1" if call is ask else answer.get_response().model_version == "1"
        with pytest.raises(InferenceServerException) as error:
            ask(serve, "m", model_version="2")
        assert "not run for now" in error.value.message()


def in_vain(serve: Serve, model: str, rows: int = 1) -> None:
    with contextlib.suppress(Exception):  # the server dies under it
        ask(serve, model, width=256, rows=rows)


def die_while_it_runs(serve: Serve, how: signal.Signals, answer_first: bool) -> None:
    with serve.running(ends=-how):
        if answer_first:
            ask(serve, "m", width=256)
        asker = threading.Thread(target=in_vain, args=(serve, "m", 64))  # seconds of work
        asker.start()
        deadline = time.monotonic() + 60
        while metric(serve, "holdfast_inference_longest_run_seconds", 'model="m",version="2"') == 0:
            assert time.monotonic() < deadline
        serve.process.send_signal(how)
        serve.process.wait(30)
        asker.join()


@pytest.mark.parametrize(("how", "answer_first"), [(signal.SIGKILL, False), (signal.SIGSEGV, True)])
def test_a_version_that_runs_at_each_crash_is_quarantined(tmp_path, how, answer_first):
    serve = Serve(tmp_path, {"scheduling": {"lanes": 1, "merge": False}, "quarantine": {"crashes": 2, "within": "10m"}})
    with serve.running():
        assert serve.put("m", 1, deep_model(1))[0] == 201 and serve.put("m", 2, deep_model(4000))[0] == 201
    for _ in range(2):
        die_while_it_runs(serve, how, answer_first)
    with serve.running(), triton.InferenceServerClient(serve.address) as client:
        state, reason = index(serve)["m", "2"]
        assert state == "UNAVAILABLE" and reason.startswith("quarantined: the server crashed 2 times within 10m while it ran")
        assert ("signal 11" if how == signal.SIGSEGV else "before it had answered") in reason
        assert client.is_server_ready() and ask(serve, "m", width=256).get_response()["model_version"] == "1"
        with pytest.raises(InferenceServerException) as error:
            ask(serve, "m", width=256, model_version="2")
        assert error.value.status() == "503" and "quarantined" in error.value.message()
        client.load_model("m")  # the newest that may serve
        assert ask(serve, "m", width=256).get_response()["model_version"] == "1"
    with serve.running():
        assert index(serve)["m", "2"][0] == "UNAVAILABLE", "it lasts"
        release = [BIN / "holdfast", "model", "release", "m", "--version", "2", "--serve", f"http://{serve.address}"]
        subprocess.run(release, check=True)
        assert subprocess.run(release, capture_output=True).returncode == 3, "it is not held any more"
        with triton.InferenceServerClient(serve.address) as client:
            client.load_model("m")
        assert ask(serve, "m", width=256).get_response()["model_version"] == "2"


def test_the_only_version_leaves_the_server_unready_with_the_reason(tmp_path):
    serve = Serve(tmp_path, {"scheduling": {"lanes": 1, "merge": False}, "quarantine": {"crashes": 1}})
    with serve.running():
        assert serve.put("m", 2, deep_model(4000))[0] == 201
    die_while_it_runs(serve, signal.SIGABRT, True)
    with serve.running():
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://{serve.address}/v2/health/ready", timeout=10)
        answer = json.load(error.value)
        assert error.value.code == 503 and answer["ready"] is False and "quarantined" in answer["reason"]
        subprocess.run([BIN / "holdfast", "model", "release", "m", "--version", "2", "--serve", f"http://{serve.address}"], check=True)
        assert ask(serve, "m", width=256).get_response()["model_version"] == "2"


def test_who_kills_a_busy_server_quarantines_nobody(tmp_path):
    serve = Serve(tmp_path, {"quarantine": {"crashes": 2}})
    with serve.running():
        assert serve.put("m", 1, deep_model(200))[0] == 201
    for _ in range(4):
        with serve.running(ends=-signal.SIGKILL):
            ask(serve, "m", width=256)
            stop = threading.Event()

            def ask_on() -> None:
                while not stop.is_set():
                    in_vain(serve, "m")
            askers = [threading.Thread(target=ask_on) for _ in range(3)]
            for asker in askers:
                asker.start()
            deadline = time.monotonic() + 60
            while metric(serve, "nv_inference_exec_count", 'model="m",version="1"') < 20:
                assert time.monotonic() < deadline
            serve.process.kill()
            serve.process.wait(30)
            stop.set()
            for asker in askers:
                asker.join()
    with serve.running():
        assert index(serve) == {("m", "1"): ("READY", "")}
        ask(serve, "m", width=256)
