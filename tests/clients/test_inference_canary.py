"""tritonclient, unmodified, HTTP and gRPC, on a model with a candidate version: shares, roll back, promotion, shadows; driven by the CLI."""
import concurrent.futures
import json
import math
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from serve_support import BIN, Serve, deep_model, picky_scale_model, scale_model
from tritonclient.utils import InferenceServerException

USAGE, NOT_FOUND, CONFLICT = 2, 3, 5


def ask(serve: Serve, values: list[float], model: str = "m", **more) -> tuple[str, list[float]]:
    """(the version that answered, its first row)"""
    with triton.InferenceServerClient(serve.address, network_timeout=120) as client:
        given = triton.InferInput("x", [1, len(values)], "FP32")
        given.set_data_from_numpy(numpy.array([values], numpy.float32))
        answer = client.infer(model, [given], **more)
        return answer.get_response()["model_version"], answer.as_numpy("y")[0].tolist()


def ask_grpc(serve: Serve, values: list[float], model: str = "m", **more) -> tuple[str, list[float]]:
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        given = triton_grpc.InferInput("x", [1, len(values)], "FP32")
        given.set_data_from_numpy(numpy.array([values], numpy.float32))
        answer = client.infer(model, [given], **more)
        return answer.get_response().model_version, answer.as_numpy("y")[0].tolist()


def holdfast(serve: Serve, *words, code: int = 0) -> dict:
    done = subprocess.run([BIN / "holdfast", "model", *map(str, words), "--serve", f"http://{serve.address}", "-o", "json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if code == 0 and done.stdout.strip() else {"error": done.stderr}


def until_state(serve: Serve, state: str) -> dict:
    deadline = time.monotonic() + 60
    while (found := holdfast(serve, "canary", "status", "m"))["state"] != state:
        assert time.monotonic() < deadline, found
    return found


def metrics(serve: Serve) -> str:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return answer.read().decode()


def file_of(folder: pathlib.Path, model: bytes) -> pathlib.Path:
    path = folder / "candidate.onnx"
    path.write_bytes(model)
    return path


@pytest.fixture
def serve(tmp_path):
    with Serve(tmp_path).running() as running:
        assert running.put("m", 1, scale_model(1))[0] == 201
        yield running


def current_of(serve: Serve) -> str:
    with urllib.request.urlopen(f"http://{serve.address}/api/v1/models", timeout=10) as answer:
        return next(row["version"] for row in json.load(answer)["models"] if row["name"] == "m" and row["current"])


def test_a_share_of_the_requests_goes_to_the_candidate(serve, tmp_path):
    begun = holdfast(serve, "canary", "start", "m", "--file", file_of(tmp_path, scale_model(2)), "--share", "25", "--max-latency-ratio", "0")
    assert begun["state"] == "running" and begun["version"] == "2" and begun["current"] == "1"
    assert current_of(serve) == "1", "a candidate is not the current version"
    count, candidate = 600, 0
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for version, row in pool.map(lambda i: (ask, ask_grpc)[i % 2](serve, [1, 2]), range(count)):
            assert row == [float(version), 2 * float(version)], "every answer is of the version that it names"
            candidate += version == "2"
    assert abs(candidate - count / 4) < 5 * math.sqrt(count / 4 * 3 / 4), candidate
    for version in ("1", "2"):
        for call in (ask, ask_grpc):
            assert call(serve, [1, 2], model_version=version)[0] == version, "who names a version gets it"
    status = holdfast(serve, "canary", "status", "m")
    assert status["candidate_figures"]["requests"] == candidate and status["current_figures"]["requests"] == count - candidate
    assert status["candidate_figures"]["errors"] == 0 and status["candidate_figures"]["p95_us"] > 0
    page = metrics(serve)
    assert f'holdfast_canary_requests_total{{model="m",version="2",arm="candidate"}} {candidate}\n' in page
    assert 'holdfast_canary_state{model="m",version="2",state="running"} 1\n' in page
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True, timeout=30)
    # Only Triton's names are not in Prometheus' style.
    assert checked.returncode in (0, 3) and all("nv_" in line for line in checked.stderr.splitlines()), checked.stderr
    with urllib.request.urlopen(urllib.request.Request(f"http://{serve.address}/score?model=m", json.dumps({"data": [[1, 2]]}).encode()), timeout=10) as answer:
        assert answer.headers["azureml-model-deployment"] in ("m-1", "m-2")
    assert holdfast(serve, "canary", "promote", "m")["state"] == "promoted"
    assert current_of(serve) == "2" and {ask(serve, [1, 2])[0] for _ in range(20)} == {"2"}
    assert 'state="promoted"} 1\n' in metrics(serve)


def test_a_candidate_whose_engine_fails_costs_no_caller_an_answer(tmp_path):
    serve = Serve(tmp_path, {"canary": {"min_requests": 20}})
    with serve.running():
        assert serve.put("m", 1, scale_model(1))[0] == 201
        holdfast(serve, "canary", "start", "m", "--file", file_of(tmp_path, picky_scale_model(2)), "--share", "50")
        # A largest value of 2 suits the candidate, 5 does not.
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda i: (ask, ask_grpc)[i % 2](serve, [1, 2] if i % 4 < 2 else [1, 5]), range(300)))
        for i, (version, row) in enumerate(answers):
            assert row == [float(version), float(version) * (2 if i % 4 < 2 else 5)] and (i % 4 < 2 or version == "1")
        status = until_state(serve, "rolled_back")
        assert "errors" in status["reason"] or "circuit breaker" in status["reason"]
        assert status["candidate_figures"]["errors"] > 0 and status["held"][0]["kind"] == "refused" and status["held"][0]["version"] == "2"
        with triton.InferenceServerClient(serve.address) as client:
            deadline = time.monotonic() + 30
            while (row := next(row for row in client.get_model_repository_index() if row["version"] == "2"))["state"] != "UNAVAILABLE":
                assert time.monotonic() < deadline
            assert row["reason"] == "refused: " + status["reason"]
            assert client.is_server_ready()
        assert "is refused" in holdfast(serve, "canary", "start", "m", "--version", "2", "--share", "5", code=CONFLICT)["error"]
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(urllib.request.Request(f"http://{serve.address}/api/v1/models/m/versions/2/activate", b"", method="POST"), timeout=30)
        assert error.value.code == 409
    with serve.running():
        assert {ask(serve, [1, 2])[0] for _ in range(20)} == {"1"}, "a restart does not bring it back"
        assert holdfast(serve, "canary", "status", "m")["held"][0]["version"] == "2"
        holdfast(serve, "release", "m", "--version", "2")
        assert holdfast(serve, "canary", "start", "m", "--version", "2", "--share", "5")["state"] == "running"


def test_a_slow_candidate_is_rolled_back(tmp_path):
    with Serve(tmp_path, {"canary": {"min_requests": 20}}).running() as serve:
        assert serve.put("m", 1, deep_model(1))[0] == 201
        holdfast(serve, "canary", "start", "m", "--file", file_of(tmp_path, deep_model(2000)), "--share", "50")
        deadline = time.monotonic() + 60
        while holdfast(serve, "canary", "status", "m")["state"] == "running":
            assert time.monotonic() < deadline
            for _ in range(20):
                ask(serve, [1] * 256)
        status = holdfast(serve, "canary", "status", "m")
        assert status["state"] == "rolled_back" and status["reason"].startswith("latency: its 95th percentile is")
        assert {ask(serve, [1] * 256)[0] for _ in range(10)} == {"1"}


def test_a_shadow_is_compared_and_answers_nobody(tmp_path):
    with Serve(tmp_path, {"canary": {"min_requests": 20}}).running() as serve:
        assert serve.put("m", 1, scale_model(1))[0] == 201
        # The other way round: another class for each row.
        holdfast(serve, "canary", "start", "m", "--file", file_of(tmp_path, scale_model(-1)), "--shadow", "100")
        deadline = time.monotonic() + 60
        while holdfast(serve, "canary", "status", "m")["state"] == "running":
            assert time.monotonic() < deadline
            for call in (ask, ask_grpc) * 10:
                assert call(serve, [1, 2]) == ("1", [1, 2])
        status = holdfast(serve, "canary", "status", "m")
        assert status["state"] == "rolled_back" and status["reason"].startswith("disagreement: 100 % of")
        # Twice as large, the same class; it is promoted by what its shadows show.
        holdfast(serve, "canary", "start", "m", "--file", file_of(tmp_path, scale_model(2)), "--shadow", "100", "--promote-after", "50")
        while holdfast(serve, "canary", "status", "m")["state"] == "running":
            assert time.monotonic() < deadline
            for call in (ask, ask_grpc) * 10:
                version, row = call(serve, [1, 2])
                assert row == ([1, 2] if version == "1" else [2, 4])
        status = holdfast(serve, "canary", "status", "m")
        assert status["state"] == "promoted" and status["disagreed"] == 0 and status["compared"] >= 50 and status["max_difference"] == 2
        until_current = time.monotonic() + 30
        while current_of(serve) != "3":
            assert time.monotonic() < until_current


def test_a_restart_goes_on_with_it_and_an_abort_ends_it(tmp_path):
    serve = Serve(tmp_path)
    with serve.running(ends=-signal.SIGKILL):
        assert serve.put("m", 1, scale_model(1))[0] == 201
        holdfast(serve, "canary", "start", "m", "--file", file_of(tmp_path, scale_model(2)), "--share", "100")
        assert ask(serve, [1, 2]) == ask_grpc(serve, [1, 2]) == ("2", [2, 4])
        serve.process.kill()
        serve.process.wait()
    with serve.running():
        assert current_of(serve) == "1" and ask(serve, [1, 2]) == ask_grpc(serve, [1, 2]) == ("2", [2, 4])
        assert holdfast(serve, "canary", "status")[0]["state"] == "running"
        assert holdfast(serve, "canary", "abort", "m")["state"] == "aborted"
        assert ask(serve, [1, 2]) == ask_grpc(serve, [1, 2]) == ("1", [1, 2])
        holdfast(serve, "canary", "abort", "m", code=CONFLICT)
    with serve.running():
        assert current_of(serve) == "1" and ask(serve, [1, 2]) == ("1", [1, 2])


def test_what_is_wrong_is_said(serve, tmp_path):
    holdfast(serve, "canary", "start", "m", "--version", "2", code=USAGE)
    holdfast(serve, "canary", "start", "m", "--share", "5", code=USAGE)
    holdfast(serve, "canary", "start", "m", "--version", "2", "--share", "5", code=NOT_FOUND)
    assert "current" in holdfast(serve, "canary", "start", "m", "--version", "1", "--share", "5", code=CONFLICT)["error"]
    assert "other inputs or outputs" in holdfast(serve, "canary", "start", "m", "--file", file_of(tmp_path, deep_model(1)), "--share", "5", code=1)["error"]
    for body in (b"", b"[]", b'{"version":2,"share":101}', b'{"version":2,"share":1,"unknown":1}', b'{"version":2,"share":1e400}'):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(urllib.request.Request(f"http://{serve.address}/api/v1/models/m/canary", body), timeout=10)
        assert error.value.code == 400, body
    assert current_of(serve) == "1" and ask(serve, [1, 2]) == ("1", [1, 2])
    with pytest.raises(InferenceServerException):
        ask(serve, [1, 2], "nobody")
    made = subprocess.run([BIN / "holdfast-serve", "--check", "--data", tmp_path / "x", "--config", "/dev/stdin"], input="canary: {max_error_rate: 7}\n", capture_output=True, text=True, timeout=30)
    assert made.returncode == 2 and "max_error_rate" in made.stderr
