"""OpenVINO beside ONNX Runtime: the same network answers alike, what it does not take goes to the other, and neither is in memory unused."""
import concurrent.futures
import contextlib
import pathlib
import subprocess

import numpy
import onnxruntime
import pytest
import tritonclient.http as triton
from serve_support import BIN, Serve, conv_model, places_model, text_model

RANDOM = numpy.random.default_rng(5)


@pytest.fixture(params=["onnxruntime", "openvino"])
def serve(request, tmp_path):
    with Serve(tmp_path, {"engine": request.param}).running() as server:
        server.engine = request.param
        yield server


def mapped(pid: int, library: str) -> bool:
    return library in pathlib.Path(f"/proc/{pid}/maps").read_text()


def ask(address: str, pictures: numpy.ndarray, outputs=("features", "label"), model="net"):
    client = triton.InferenceServerClient(address)
    try:
        given = triton.InferInput("x", list(pictures.shape), "FP32")
        given.set_data_from_numpy(pictures)
        answer = client.infer(model, [given], outputs=[triton.InferRequestedOutput(name) for name in outputs])
        return [answer.as_numpy(name) for name in outputs]
    finally:
        client.close()


def test_answers_as_the_raw_runtime_does(serve):
    model = conv_model()
    assert serve.put("net", 1, model)[0] == 201
    raw = onnxruntime.InferenceSession(model)
    pictures = [RANDOM.normal(size=(1 + i % 7, 3, 16, 16)).astype(numpy.float32) for i in range(40)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # callers side by side, each with its own rows
        answers = list(pool.map(lambda some: ask(serve.address, some), pictures))
    for some, (features, label) in zip(pictures, answers):
        wanted, labels = raw.run(None, {"x": some})
        numpy.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-5)
        assert (label == labels).all()
    label, features = ask(serve.address, pictures[0], ("label", "features"))
    assert label.dtype == numpy.int64 and features.shape == (1, 8)
    client = triton.InferenceServerClient(serve.address)
    told = client.get_model_metadata("net")
    assert told["platform"] == {"onnxruntime": "onnxruntime_onnx", "openvino": "openvino"}[serve.engine]
    assert told["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3, 16, 16]}]
    assert client.get_model_config("net")["backend"] == serve.engine
    client.close()


def test_outputs_whose_size_the_values_say(serve):
    """The engine foresees an output's shape from the last run with inputs of that shape; here it is another one each time."""
    assert serve.put("net", 1, places_model())[0] == 201
    with contextlib.closing(triton.InferenceServerClient(serve.address)) as client:
        assert client.get_model_metadata("net")["platform"].startswith(serve.engine)

    def ask_for(row: numpy.ndarray, names=("at", "twice")):
        with contextlib.closing(triton.InferenceServerClient(serve.address)) as client:
            given = triton.InferInput("x", [len(row)], "FP32")
            given.set_data_from_numpy(row)
            answer = client.infer("net", [given], outputs=[triton.InferRequestedOutput(name) for name in names])
            return [answer.as_numpy(name) for name in names]

    rows = [RANDOM.integers(0, 2, size).astype(numpy.float32) for size in (1, 6, 6, 6, 6, 2, 6, 6)]
    rows += [numpy.zeros(6, numpy.float32), numpy.ones(6, numpy.float32), numpy.eye(1, 6, dtype=numpy.float32)[0]]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask_for, [*rows, *rows]))
    for row, (places, twice) in zip([*rows, *rows], answers):
        assert places.tolist() == [numpy.flatnonzero(row).tolist()] and twice.tolist() == (2 * row).tolist()
    assert [len(part) for part in ask_for(rows[-1], ("twice",))] == [6]


def test_outputs_that_are_foreseen(serve):
    """Shapes and wanted outputs come again, and change between: what is written straight into one answer is never another's."""
    model = conv_model()
    assert serve.put("still", 1, model)[0] == 201
    raw = onnxruntime.InferenceSession(model)
    both, kept = ("features", "label"), []
    for rows, names in [(3, both), (3, both), (3, ("label",)), (3, both), (1, both), (1, both), (3, both), (3, both[::-1]), (3, both[::-1]), (3, both), (3, both)] * 4:
        pictures = RANDOM.normal(size=(rows, 3, 16, 16)).astype(numpy.float32)
        wanted = dict(zip(both, raw.run(None, {"x": pictures})))
        kept.append((names, wanted, ask(serve.address, pictures, names, "still")))
    for names, wanted, got in kept:
        for name, values in zip(names, got):
            assert values.shape == wanted[name].shape
            numpy.testing.assert_allclose(values, wanted[name], rtol=1e-4, atol=1e-5)


def test_only_what_is_used_is_in_memory(serve):
    assert not mapped(serve.pid, "libopenvino") and not mapped(serve.pid, "libonnxruntime")
    assert serve.put("net", 1, conv_model())[0] == 201
    assert mapped(serve.pid, "libopenvino") == (serve.engine == "openvino")
    assert mapped(serve.pid, "libonnxruntime") == (serve.engine == "onnxruntime")
    assert serve.put("texts", 1, text_model())[0] == 201  # OpenVINO does not take texts: the other one does
    assert mapped(serve.pid, "libonnxruntime")
    client = triton.InferenceServerClient(serve.address)
    assert client.get_model_metadata("texts")["platform"] == "onnxruntime_onnx"
    client.close()


def test_nothing_is_told_to_anyone(tmp_path, monkeypatch):
    """ONNX Runtime would note its uses in the home directory, to send them on."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    with Serve(tmp_path).running() as server:
        assert server.put("net", 1, conv_model())[0] == 201
        ask(server.address, RANDOM.normal(size=(2, 3, 16, 16)).astype(numpy.float32))
    assert list(home.rglob("*")) == []


def test_what_is_no_model_is_refused(serve):
    status, answer = serve.put("net", 1, b"not a model at all")
    assert status == 400 and str(serve.data) not in answer["error"]
    assert serve.put("net", 1, conv_model()[:200])[0] == 400


def test_an_engine_that_is_not_there(tmp_path):
    done = subprocess.run([BIN / "holdfast-serve", "--data", tmp_path, "--engine", "abacus"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "not one of onnxruntime, openvino" in done.stderr
