"""tritonclient[http], unmodified: health, metadata, tensors of every kind both ways, versions switched under load."""
import json
import threading
import urllib.request
import zlib

import numpy
import onnxruntime
import pytest
import tritonclient.http as triton
from onnx import TensorProto
from serve_support import Serve, digits_model, echo_model, scale_model, two_by_two_model
from tritonclient.utils import InferenceServerException, np_to_triton_dtype


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve")).running() as running:
        running.model, running.digits = digits_model(running.folder)
        assert running.put("digits", 1, running.model)[0] in (200, 201)
        assert running.put("pair", 1, two_by_two_model())[0] in (200, 201)
        yield running


@pytest.fixture
def client(serve):
    with triton.InferenceServerClient(serve.address, concurrency=4) as made:
        yield made


def tensor(name: str, values: numpy.ndarray, binary: bool = True) -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits") and client.is_model_ready("digits", "1")
    assert not client.is_model_ready("digits", "7") and not client.is_model_ready("nobody")
    assert client.get_server_metadata()["name"] == "holdfast-serve"
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.get_server_metadata()["limits"] == {"request_bytes": 64 << 20, "all_requests_bytes": 512 << 20, "model_bytes": 2 << 30}
    metadata = client.get_model_metadata("digits")
    assert metadata["versions"] == ["1"] and metadata["inputs"] == [{"name": "pixels", "datatype": "FP32", "shape": [-1, 64]}]
    assert [(o["name"], o["datatype"]) for o in metadata["outputs"]] == [("label", "INT64"), ("probabilities", "FP32")]
    assert client.get_model_config("digits")["name"] == "digits"
    assert {entry["name"] for entry in client.get_model_repository_index()} >= {"digits", "pair"}


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_the_answers_are_the_raw_runtimes(serve, client, binary_in, binary_out):
    raw = onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label", "probabilities"], {"pixels": serve.digits})
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("label", "probabilities")]
    answer = client.infer("digits", [tensor("pixels", serve.digits, binary_in)], outputs=outputs, request_id="r-1")
    assert answer.get_response()["id"] == "r-1" and answer.get_response()["model_version"] == "1"
    numpy.testing.assert_array_equal(answer.as_numpy("label"), raw[0])
    numpy.testing.assert_allclose(answer.as_numpy("probabilities"), raw[1], rtol=0, atol=1e-6)


KINDS = [(TensorProto.FLOAT, numpy.float32), (TensorProto.DOUBLE, numpy.float64), (TensorProto.INT64, numpy.int64), (TensorProto.INT32, numpy.int32),
         (TensorProto.INT16, numpy.int16), (TensorProto.INT8, numpy.int8), (TensorProto.UINT8, numpy.uint8), (TensorProto.UINT16, numpy.uint16),
         (TensorProto.UINT32, numpy.uint32), (TensorProto.UINT64, numpy.uint64), (TensorProto.BOOL, numpy.bool_)]


@pytest.mark.parametrize("kind, dtype", KINDS, ids=[numpy.dtype(d).name for _, d in KINDS])
def test_every_kind_of_number_comes_back(serve, client, kind, dtype):
    name = f"echo-{numpy.dtype(dtype).name}"
    assert serve.put(name, 1, echo_model(kind))[0] in (200, 201)
    low, high = (0, 1) if dtype is numpy.bool_ else (-1e30, 1e30) if numpy.issubdtype(dtype, numpy.floating) else (numpy.iinfo(dtype).min, numpy.iinfo(dtype).max)
    values = numpy.array([[low, high, 1], [0, 1, 0]], dtype)
    for binary in (True, False):
        answer = client.infer(name, [tensor("x", values, binary)], outputs=[triton.InferRequestedOutput("y", binary_data=binary)])
        numpy.testing.assert_array_equal(answer.as_numpy("y"), values)
        assert answer.as_numpy("y").dtype == values.dtype


def test_texts_come_back(serve, client):
    assert serve.put("echo-text", 1, echo_model(TensorProto.STRING))[0] in (200, 201)
    values = numpy.array([["a\0b", "", "grüße \"quoted\" \\ \n"], ["x" * 10_000, "0", "日本"]], dtype=numpy.object_)
    for binary in (True, False):
        answer = client.infer("echo-text", [tensor("x", values, binary)], outputs=[triton.InferRequestedOutput("y", binary_data=binary)])
        assert [[item.decode() if isinstance(item, bytes) else item for item in row] for row in answer.as_numpy("y")] == values.tolist()


def test_bytes_that_are_no_text_need_the_binary_form(serve, client):
    assert serve.put("echo-bytes", 1, echo_model(TensorProto.STRING))[0] in (200, 201)
    values = numpy.array([[b"\xff\xfe", b"\0", b""]], dtype=numpy.object_)
    answer = client.infer("echo-bytes", [tensor("x", values)])
    assert answer.as_numpy("y").tolist() == values.tolist()
    with pytest.raises(InferenceServerException) as error:
        client.infer("echo-bytes", [tensor("x", values)], outputs=[triton.InferRequestedOutput("y", binary_data=False)])
    assert error.value.status() == "501" and "UTF-8" in error.value.message()


def test_half_floats_travel_as_binary(serve, client):
    assert serve.put("echo-half", 1, echo_model(TensorProto.FLOAT16))[0] in (200, 201)
    values = numpy.array([[0, -1.5, 65504], [6e-8, numpy.inf, 1]], numpy.float16)
    answer = client.infer("echo-half", [tensor("x", values)], outputs=[triton.InferRequestedOutput("y", binary_data=True)])
    numpy.testing.assert_array_equal(answer.as_numpy("y"), values)
    # `data` is all that JSON can carry: the numbers themselves.
    answer = client.infer("echo-half", [tensor("x", values)], outputs=[triton.InferRequestedOutput("y", binary_data=False)])
    assert answer.get_response()["outputs"][0]["data"][:3] == [0, -1.5, 65504]


@pytest.mark.parametrize("binary", [True, False])
def test_a_batch_of_no_rows(serve, client, binary):
    for kind, dtype in ((TensorProto.FLOAT, numpy.float32), (TensorProto.STRING, numpy.object_)):
        name = f"echo-none-{kind}"
        assert serve.put(name, 1, echo_model(kind))[0] in (200, 201)
        answer = client.infer(name, [tensor("x", numpy.zeros((0, 3), dtype), binary)], outputs=[triton.InferRequestedOutput("y", binary_data=binary)])
        assert answer.get_response()["outputs"][0]["shape"] == [0, 3]


def test_binary_tensors_lie_anywhere_in_the_body(serve, client):
    """The length of the request's id moves the elements byte by byte."""
    values = numpy.arange(64, dtype=numpy.float32).reshape(1, 64) / 64
    first = client.infer("digits", [tensor("pixels", values)]).as_numpy("probabilities")
    for length in range(1, 10):
        answer = client.infer("digits", [tensor("pixels", values)], request_id="i" * length)
        assert answer.get_response()["id"] == "i" * length
        numpy.testing.assert_array_equal(answer.as_numpy("probabilities"), first)


def test_several_inputs_and_chosen_outputs(client):
    a, b = numpy.array([0.5, 1.5], numpy.float32), numpy.array([1, 2], numpy.int64)
    answer = client.infer("pair", [tensor("b", b, False), tensor("a", a, True)])  # any order, JSON and binary mixed
    numpy.testing.assert_array_equal(answer.as_numpy("sum"), a + b)
    numpy.testing.assert_array_equal(answer.as_numpy("double"), b * 2)
    answer = client.infer("pair", [tensor("a", a), tensor("b", b)], outputs=[triton.InferRequestedOutput("double")])
    assert [output["name"] for output in answer.get_response()["outputs"]] == ["double"]


@pytest.mark.parametrize("sequence", [7, 2**63, "line 4"])
def test_parameters_of_a_sequence_change_nothing(serve, client, sequence):
    """No model here keeps a state from one request to the next, so that each answers by itself."""
    for start, end in [(True, False), (False, False), (False, True), (True, True)]:
        answer = client.infer("digits", [tensor("pixels", serve.digits[:3])], sequence_id=sequence, sequence_start=start, sequence_end=end, request_id="r")
        assert answer.get_response()["id"] == "r" and (answer.as_numpy("label") == onnxruntime.InferenceSession(serve.model).run(["label"], {"pixels": serve.digits[:3]})[0]).all()


def test_large_tensors_and_parallel_calls(serve, client):
    rows = numpy.random.default_rng(1).random((20_000, 64), numpy.float32)  # 5 MB
    pending = [client.async_infer("digits", [tensor("pixels", rows)]) for _ in range(4)]
    labels = [call.get_result().as_numpy("label") for call in pending]
    raw = onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label"], {"pixels": rows})[0]
    for label in labels:
        numpy.testing.assert_array_equal(label, raw)


PIXELS = numpy.zeros((1, 64), numpy.float32)
WRONG = {
    "no such model": ("nobody", [tensor("pixels", PIXELS)], None, "404", "nobody"),
    "no such input": ("digits", [tensor("picture", PIXELS)], None, "400", "picture"),
    "wrong type": ("digits", [tensor("pixels", PIXELS.astype(numpy.float64))], None, "400", "FP64"),
    "wrong width": ("digits", [tensor("pixels", PIXELS[:, :63])], None, "400", "63"),
    "wrong rank": ("digits", [tensor("pixels", PIXELS.reshape(64))], None, "400", "pixels"),
    "an input is missing": ("pair", [tensor("a", PIXELS[0])], None, "400", "a, b"),
    "an input twice": ("pair", [tensor("a", PIXELS[0])] * 2, None, "400", "a"),
    "more than is allowed": ("digits", [tensor("pixels", numpy.zeros((300_000, 64), numpy.float32))], None, "413", "64"),
    "an output twice": ("digits", [tensor("pixels", PIXELS)], [triton.InferRequestedOutput("label")] * 2, "400", "label"),
    "no such output": ("digits", [tensor("pixels", PIXELS)], [triton.InferRequestedOutput("colour")], "400", "colour"),
}


@pytest.mark.parametrize("model, inputs, outputs, status, word", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(client, model, inputs, outputs, status, word):
    with pytest.raises(InferenceServerException) as error:
        client.infer(model, inputs, outputs=outputs)
    assert error.value.status() == status and word in error.value.message()
    assert client.infer("digits", [tensor("pixels", PIXELS)]).as_numpy("label").shape == (1,)  # the connection goes on


def test_a_wrong_version_is_named(client):
    for version, status in (("7", "404"), ("0", "400"), ("x", "400"), ("99999999999999999999", "400")):
        with pytest.raises(InferenceServerException) as error:
            client.infer("digits", [tensor("pixels", PIXELS)], model_version=version)
        assert error.value.status() == status and version in error.value.message()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_bodies(serve, client, algorithm):
    answer = client.infer("digits", [tensor("pixels", serve.digits)], request_compression_algorithm=algorithm)
    assert answer.as_numpy("label").shape == (100,)
    plain = client.infer("digits", [tensor("pixels", serve.digits)])
    for binary in (True, False):
        asked = [triton.InferRequestedOutput("probabilities", binary_data=binary)]
        packed = client.infer("digits", [tensor("pixels", serve.digits)], outputs=asked, response_compression_algorithm=algorithm)
        assert (packed.as_numpy("probabilities") == plain.as_numpy("probabilities")).all()


@pytest.mark.parametrize("accepted, coded", [("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate, br", None), ("gzip;q=0", None), (None, None)])
def test_answers_are_packed_for_those_who_ask_for_it(serve, accepted, coded):
    body = json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [100, 64], "data": serve.digits.flatten().tolist()}]}).encode()
    request = urllib.request.Request(f"http://{serve.address}/v2/models/digits/infer", body, {"Accept-Encoding": accepted} if accepted else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        read = answer.read()
        assert answer.headers["Content-Encoding"] == coded and int(answer.headers["Content-Length"]) == len(read)
    assert json.loads(zlib.decompress(read, 47) if coded else read)["model_name"] == "digits"


def test_load_and_unload(serve, client):
    assert serve.put("come-and-go", 1, scale_model(2))[0] in (200, 201)
    one = [tensor("x", numpy.ones((1, 2), numpy.float32))]
    client.unload_model("come-and-go")
    assert not client.is_model_ready("come-and-go")
    with pytest.raises(InferenceServerException):
        client.infer("come-and-go", one)
    assert [(row["state"], row["reason"]) for row in client.get_model_repository_index() if row["name"] == "come-and-go"] == [("UNAVAILABLE", "unloaded")]
    assert client.is_server_ready(), "a model that was unloaded on purpose is not waited for"
    client.load_model("come-and-go")
    assert client.infer("come-and-go", one).as_numpy("y").tolist() == [[2, 2]]
    with pytest.raises(InferenceServerException):
        client.load_model("nobody")


def test_a_model_sent_in_with_load(client):
    client.load_model("carried", config="{}", files={"file:3/model.onnx": scale_model(5)})
    assert client.infer("carried", [tensor("x", numpy.ones((1, 2), numpy.float32))], model_version="3").as_numpy("y").tolist() == [[5, 5]]
    for name in ("3/../../model.onnx", "3/other.onnx", "x/model.onnx", "0/model.onnx"):
        with pytest.raises(InferenceServerException) as error:
            client.load_model("carried", config="{}", files={f"file:{name}": scale_model(6)})
        assert error.value.status() == "400"
    with pytest.raises(InferenceServerException) as error:
        client.load_model("carried", config="{}", files={"file:4/model.onnx": b"no model"})
    assert "ONNX" in error.value.message() and ".incoming" not in error.value.message()
    assert client.infer("carried", [tensor("x", numpy.ones((1, 2), numpy.float32))]).get_response()["model_version"] == "3"


def test_statistics_count(client):
    def successes() -> int:
        return client.get_inference_statistics("digits")["model_stats"][0]["inference_stats"]["success"]["count"]
    before = successes()
    for _ in range(3):
        client.infer("digits", [tensor("pixels", PIXELS)])
    assert successes() == before + 3


def test_a_switch_of_versions_fails_no_request(serve):
    assert serve.put("switch", 1, scale_model(1))[0] in (200, 201)
    stop, answered, failures = threading.Event(), [], []
    one = numpy.ones((1, 2), numpy.float32)

    def ask() -> None:
        with triton.InferenceServerClient(serve.address) as own:
            while not stop.is_set():
                try:
                    answer = own.infer("switch", [tensor("x", one)])
                    answered.append((int(answer.get_response()["model_version"]), answer.as_numpy("y")[0, 0]))
                except Exception as error:
                    failures.append(error)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 12):
        assert serve.put("switch", version, scale_model(version))[0] in (200, 201)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert all(version == factor for version, factor in answered), "an answer of one version's name and another's weights"
    assert {version for version, _ in answered} >= {1, 11} or len({version for version, _ in answered}) > 3
