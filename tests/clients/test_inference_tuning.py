"""Tuning, verifying and measuring a served model with the holdfast program, beside a real server and the raw runtime."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import time
import urllib.request

import numpy
import onnx
import onnxruntime
import pytest
import skl2onnx
import tritonclient.http as triton
from onnx import TensorProto
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from serve_support import BIN, Serve, conv_model, deep_model, echo_model, scale_model, text_model, two_by_two_model

PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
DRAW = numpy.random.default_rng(3)


def holdfast(*words, code: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([BIN / "holdfast", *map(str, words)], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=PLAIN)
    assert done.returncode == code, f"{words}: exit {done.returncode}, {done.stdout}{done.stderr}"
    return done


def told(*words, code: int = 0) -> dict:
    return json.loads(holdfast(*words, "-o", "json", code=code).stdout)


def ask(address: str, name: str, array: numpy.ndarray, kind: str = "FP32") -> triton.InferResult:
    client = triton.InferenceServerClient(address)
    try:
        given = triton.InferInput("x", list(array.shape), kind)
        given.set_data_from_numpy(array)
        return client.infer(name, [given])
    finally:
        client.close()


def until(what, within: float = 60):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("not within the deadline")


def kept(serve: Serve, model: bytes) -> pathlib.Path:
    return serve.data / "tuning" / (hashlib.sha256(model).hexdigest() + ".json")


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request):
    return request.param


@pytest.fixture
def serve(tmp_path):
    with Serve(tmp_path).running() as server:
        yield server


def test_the_same_file_is_answered_as_by_the_raw_runtime(tmp_path, engine):
    with Serve(tmp_path, {"engine": engine}).running() as server:
        for name, model in [("net", conv_model()), ("deep", deep_model(3)), ("two", two_by_two_model()), ("texts", text_model())]:
            assert server.put(name, 1, model)[0] == 201
            done = told("model", "verify", name, "--serve-data", server.data)
            assert done["equal"] and done["samples"] == 4 and all(row["equal"] and row["max_abs"] == 0 for row in done["outputs"])
            assert done["runtime"].startswith("onnxruntime" if name == "texts" else engine)
        # Another process, and Python's own runtime.
        array = DRAW.normal(size=(3, 3, 16, 16)).astype(numpy.float32)
        if engine == "onnxruntime":
            raw = onnxruntime.InferenceSession(conv_model(), _one_thread()).run(None, {"x": array})
            assert (ask(server.address, "net", array).as_numpy("features") == raw[0]).all()


def _one_thread() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def test_a_difference_is_told(serve, tmp_path):
    assert serve.put("scale", 1, scale_model(2.0))[0] == 201
    other = serve.data / "models/scale/1/model.onnx"
    other.chmod(0o644)
    other.write_bytes(scale_model(3.0))  # what is on disk is not what was loaded
    done = told("model", "verify", "scale", "--serve-data", serve.data, code=1)
    assert not done["equal"] and done["outputs"][0]["max_abs"] > 0 and done["outputs"][0]["max_ulp"] > 1000
    table = holdfast("model", "verify", "scale", "--serve-data", serve.data, "-o", "table", code=1)
    assert "MAX ULP" in table.stdout and "Not equal" in table.stderr


def test_a_file_is_found_by_its_digest_and_samples_are_read(serve, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(conv_model())
    samples = tmp_path / "samples"
    samples.mkdir()
    numpy.savez(samples / "a.npz", x=DRAW.normal(size=(2, 3, 16, 16)).astype(numpy.float32))
    numpy.savez_compressed(samples / "b.npz", x=numpy.zeros((5, 3, 16, 16), numpy.float32))
    words = ("model", "verify", path, "--serve-data", serve.data, "--samples", samples)
    assert "holdfast model create" in holdfast(*words, code=3).stderr
    assert serve.put("net", 1, path.read_bytes())[0] == 201
    done = told(*words)
    assert done["equal"] and done["samples"] == 2
    # What does not fit is told, with the input and why.
    for name, array, why in [("y", numpy.zeros((1, 3, 16, 16), numpy.float32), "no array of that name"),
                             ("x", numpy.zeros((1, 3, 16, 16), numpy.float64), "is FP32, the array FP64"),
                             ("x", numpy.zeros((1, 3, 16), numpy.float32), "another shape")]:
        numpy.savez(tmp_path / "wrong.npz", **{name: array})
        error = holdfast("model", "verify", "net", "--serve-data", serve.data, "--samples", tmp_path / "wrong.npz", code=1).stderr
        assert why in error and "'x'" in error
    whole = (samples / "b.npz").read_bytes()
    for size in (0, 1, 100, len(whole) - 30, len(whole) - 1):  # cut anywhere
        (tmp_path / "wrong.npz").write_bytes(whole[:size])
        assert "not a readable .npz" in holdfast("model", "verify", "net", "--serve-data", serve.data, "--samples", tmp_path / "wrong.npz", code=1).stderr
    holdfast("model", "verify", "net", "--serve-data", serve.data, "--samples", tmp_path / "none.npz", code=3)
    assert "there is no model" in holdfast("model", "verify", "nets", "--serve-data", serve.data, code=3).stderr


def test_bench_tells_where_the_time_goes(serve):
    assert serve.put("deep", 1, deep_model(20))[0] == 201
    done = told("model", "bench", "deep", "--serve-data", serve.data, "--connections", "3", "--duration", "500ms")
    stages = {row["stage"]: row for row in done["stages"]}
    assert list(stages) == ["client", "request", "queue", "input", "infer", "output"] and done["errors"] == 0
    assert stages["client"]["count"] == stages["request"]["count"] > 3
    assert stages["client"]["p50_us"] <= stages["client"]["p90_us"] <= stages["client"]["p99_us"]
    assert 0 < stages["infer"]["mean_us"] < stages["request"]["mean_us"] < stages["client"]["mean_us"]
    assert "P99 µs" in holdfast("model", "bench", "deep", "--serve-data", serve.data, "--duration", "200ms", "-o", "table").stdout


def test_what_was_tuned_is_used_and_survives_a_restart(tmp_path):
    serve, model = Serve(tmp_path), conv_model()
    with serve.running():
        assert serve.put("net", 1, model)[0] == 201
        done = told("model", "tune", "net", "--serve-data", serve.data, "--budget", "1s", "--report", tmp_path / "report.html")
        assert done["applied"] and sum(row["chosen"] for row in done["candidates"]) == 1
        assert {row["engine"] for row in done["candidates"]} == {"onnxruntime", "openvino"}
        usual, chosen = done["candidates"][0], next(row for row in done["candidates"] if row["chosen"])
        assert usual["usual"] and (chosen is usual or (chosen["gain"] > 1.03 and chosen["latency_ratio"] >= 1 and chosen["throughput_ratio"] >= 1))
        page = (tmp_path / "report.html").read_text()
        assert page.count("<svg") == 2 and "http" not in page and chosen["candidate"] in page
    # Whatever was the best here: let it be OpenVINO with one lane.
    known = json.loads(kept(serve, model).read_text())
    known["choice"] = {"engine": "openvino", "precision": "f32", "threads": 2, "lanes": 1, "rows": 2}
    kept(serve, model).write_text(json.dumps(known))
    array = DRAW.normal(size=(1, 3, 16, 16)).astype(numpy.float32)
    with serve.running():
        assert platform(serve) == "openvino"
        assert told("model", "verify", "net", "--serve-data", serve.data)["equal"]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:  # one lane is enough for all
            answers = list(pool.map(lambda _: ask(serve.address, "net", array).as_numpy("label"), range(60)))
        assert len(answers) == 60
    known["hardware"] = "another machine"
    kept(serve, model).write_text(json.dumps(known))
    with serve.running():
        assert platform(serve) == "onnxruntime_onnx"
    assert "measured on other hardware" in (tmp_path / "serve.log").read_text()
    kept(serve, model).write_text("{broken")
    with serve.running():
        assert platform(serve) == "onnxruntime_onnx"


def platform(serve: Serve) -> str:
    client = triton.InferenceServerClient(serve.address)
    try:
        return client.get_model_metadata("net")["platform"]
    finally:
        client.close()


def test_a_model_is_changed_under_load_without_a_failed_request(serve):
    model = conv_model()
    assert serve.put("net", 1, model)[0] == 201
    array = DRAW.normal(size=(2, 3, 16, 16)).astype(numpy.float32)
    first = ask(serve.address, "net", array).as_numpy("label")
    going = True

    def caller() -> int:
        count = 0
        while going:
            assert (ask(serve.address, "net", array).as_numpy("label") == first).all()
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(caller) for _ in range(4)]
        try:
            told("model", "tune", "net", "--serve-data", serve.data, "--budget", "500ms")
            known = json.loads(kept(serve, model).read_text())
            for engine in ["openvino", "onnxruntime"] * 5:
                known["choice"] = {"engine": engine, "precision": "f32", "threads": 1, "lanes": 2, "rows": 0}
                kept(serve, model).write_text(json.dumps(known))
                client = triton.InferenceServerClient(serve.address)
                assert client._post("api/v1/models/net/versions/1/retune", "", {}, {}).status_code == 200
                client.close()
                assert platform(serve).startswith(engine)
        finally:
            going = False
        assert sum(some.result() for some in callers) > 10


def test_a_new_model_is_tuned_by_itself(tmp_path):
    serve, model = Serve(tmp_path, {"tuning": {"automatic": True, "budget": "300ms"}}), conv_model()
    with serve.running():
        assert serve.put("net", 1, model)[0] == 201
        array = DRAW.normal(size=(2, 3, 16, 16)).astype(numpy.float32)
        first = ask(serve.address, "net", array).as_numpy("label")
        until(lambda: kept(serve, model).exists() or ask(serve.address, "net", array) is None)
        until(lambda: '"tuning has ended"' in (tmp_path / "serve.log").read_text())
        assert (ask(serve.address, "net", array).as_numpy("label") == first).all()
        stamp = kept(serve, model).stat().st_mtime_ns
    with serve.running():  # known: not measured again
        assert serve.put("echo", 1, echo_model(TensorProto.FLOAT))[0] == 201
        until(lambda: kept(serve, echo_model(TensorProto.FLOAT)).exists())
    assert kept(serve, model).stat().st_mtime_ns == stamp


def test_a_stop_does_not_wait_for_a_measurement(tmp_path):
    serve = Serve(tmp_path, {"tuning": {"automatic": True, "budget": "10m"}})
    with serve.running():
        assert serve.put("net", 1, conv_model())[0] == 201
        until(lambda: '"tuning begins"' in (tmp_path / "serve.log").read_text())
    assert not kept(serve, conv_model()).exists()


def test_lower_precision_has_to_answer_alike(tmp_path):
    """Lower precision is tried only on given samples, and is refused where an answer is off by more than the tolerance."""
    path = tmp_path / "net.onnx"
    path.write_bytes(deep_model(2, 64))
    made = told("model", "tune", path, "--budget", "300ms", "--data", tmp_path)
    assert {row["precision"] for row in made["candidates"]} == {"f32"} and made["generated"] and not made["applied"]
    numpy.savez(tmp_path / "s.npz", x=DRAW.normal(size=(20, 64)).astype(numpy.float32))
    given = told("model", "tune", path, "--budget", "300ms", "--data", tmp_path, "--samples", tmp_path / "s.npz")
    assert {row["precision"] for row in given["candidates"]} == {"f32", "bf16", "f16", "int8"} and given["samples"] == 1
    # 1 of 257 steps between two classes is nothing in bf16 or 8 bits: the winner is not the model's.
    close = numpy.full((20, 64), 1.0, numpy.float32)
    close[:, 5] = 1.0 + 2 ** -12
    numpy.savez(tmp_path / "s.npz", x=close)
    given = told("model", "tune", path, "--budget", "300ms", "--data", tmp_path, "--samples", tmp_path / "s.npz")
    lowered = [row for row in given["candidates"] if row["precision"] == "bf16" and "p50_us" not in row]
    assert all(row["why_not"] for row in lowered)
    small = [row for row in given["candidates"] if row["precision"] == "int8"]
    assert len(small) > 1 and all("p50_us" not in row and "8 bits" in row["why_not"] for row in small) and "quantized" not in given
    # How far is too far can be said.
    numpy.savez(tmp_path / "s.npz", x=DRAW.normal(size=(20, 64)).astype(numpy.float32))
    given = told("model", "tune", path, "--budget", "300ms", "--data", tmp_path, "--samples", tmp_path / "s.npz", "--tolerance", "0")
    assert all("p50_us" not in row for row in given["candidates"] if row["precision"] == "int8")
    assert "--tolerance" in holdfast("model", "tune", path, "--tolerance", "2", code=2).stderr


def digits_model(images: numpy.ndarray, labels: numpy.ndarray) -> bytes:
    """Trained by scikit-learn; two products with 1,024 numbers between them. Classes and how likely each is."""
    net = MLPClassifier((1024, 1024), max_iter=8, random_state=1, tol=1).fit(images, labels)
    made = skl2onnx.to_onnx(net, images[:1], options={"zipmap": False}, target_opset=17)
    return made.SerializeToString()


def test_a_model_in_8_bits_is_made_served_and_removed(tmp_path):
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(numpy.float32)
    path, samples = tmp_path / "digits.onnx", tmp_path / "samples"
    path.write_bytes(digits_model(images[:1200], labels[:1200]))
    samples.mkdir()
    # Clear ones: no rounding makes another digit of them, on any processor.
    sure = onnxruntime.InferenceSession(path.read_bytes(), _one_thread()).run(["probabilities"], {"X": images[1200:1400]})[0].max(axis=1) > 0.98
    clear = images[1200:1400][sure][:100]
    for i in range(5):
        numpy.savez(samples / f"{i}.npz", X=clear[20 * i:20 * i + 20])
    serve, model = Serve(tmp_path), path.read_bytes()
    small = kept(serve, model).with_suffix(".int8.onnx")
    with serve.running():
        assert serve.put("net", 1, model)[0] == 201
        done = told("model", "tune", "net", "--serve-data", serve.data, "--samples", samples, "--budget", "3s", "--tolerance", "0.05")
        measured = [row for row in done["candidates"] if row["precision"] == "int8" and "p50_us" in row]
        assert len(clear) == 100 and measured and done["quantized"] == {"layers": 3, "of": 3}
        chosen = next(row for row in done["candidates"] if row["chosen"])
        assert chosen["precision"] == "int8", done["candidates"]  # 4 times fewer bytes to read for each product
        assert done["applied"] and 3 * small.stat().st_size < len(model)
        assert told("model", "verify", "net", "--serve-data", serve.data, "--samples", samples)["equal"]
        # Images that no scale was made for: as often right as the model itself.
        right = [(answered(serve.address, images[1400:]) == labels[1400:]).mean(), (raw_classes(model, images[1400:]) == labels[1400:]).mean()]
        assert right[0] > right[1] - 0.01 > 0.85
    with serve.running():  # after a restart too
        assert "8 bits" not in (tmp_path / "serve.log").read_text()
        assert (answered(serve.address, images[1400:]) == labels[1400:]).mean() == right[0]
    small.write_bytes(small.read_bytes()[:-1])
    with serve.running():  # damaged: the model itself answers, and the log says why
        assert (answered(serve.address, images[1400:]) == raw_classes(model, images[1400:])).all()
        assert "the model in 8 bits is not the one that was measured" in (tmp_path / "serve.log").read_text()
        request = urllib.request.Request(f"http://{serve.address}/api/v1/models/net/versions/1", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()
        assert not small.exists() and not kept(serve, model).exists()


def answered(address: str, images: numpy.ndarray) -> numpy.ndarray:
    client = triton.InferenceServerClient(address)
    try:
        given = triton.InferInput("X", list(images.shape), "FP32")
        given.set_data_from_numpy(images)
        return client.infer("net", [given]).as_numpy("label")
    finally:
        client.close()


def raw_classes(model: bytes, images: numpy.ndarray) -> numpy.ndarray:
    return onnxruntime.InferenceSession(model, _one_thread()).run(["label"], {"X": images})[0]


def test_bad_input_has_clear_errors(serve, tmp_path):
    assert "there is no model 'nothing'" in holdfast("model", "tune", "nothing", "--serve-data", serve.data, code=3).stderr
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    assert "not a usable ONNX model" in holdfast("model", "tune", tmp_path / "bad.onnx", "--serve-data", serve.data, code=1).stderr
    holdfast("model", "tune", tmp_path / "none.onnx", "--serve-data", serve.data, code=3)
    assert serve.put("net", 1, conv_model())[0] == 201
    assert "x=1,3,224,224" in holdfast("model", "tune", "net", "--serve-data", serve.data, "--shape", "x=1,-3", code=2).stderr
    assert "no input 'z'" in holdfast("model", "tune", "net", "--serve-data", serve.data, "--shape", "z=1,3", code=1).stderr
    assert "--samples or --shape" in holdfast("model", "tune", "net", "--serve-data", serve.data, "--shape", "x=1,9,16,16", code=1).stderr
    (serve.data / "models/net/1/model.onnx").unlink()
    assert "--serve-data" in holdfast("model", "tune", "net", "--serve-data", serve.data, code=3).stderr
