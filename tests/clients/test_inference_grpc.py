"""tritonclient[grpc] and grpcio, unmodified: the whole service, tensors both ways, streams, errors by their status."""
import asyncio
import queue
import threading
import time

import grpc
import numpy
import onnxruntime
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from onnx import TensorProto
from serve_support import Serve, digits_model, echo_model, scale_model, two_by_two_model
from tritonclient.grpc import service_pb2, service_pb2_grpc
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
    with triton.InferenceServerClient(serve.grpc) as made:
        yield made


@pytest.fixture
def stub(serve):
    with grpc.insecure_channel(serve.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def tensor(name: str, values: numpy.ndarray) -> triton.InferInput:
    made = triton.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    made.set_data_from_numpy(values)
    return made


def raw_labels(serve) -> numpy.ndarray:
    return onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label"], {"pixels": serve.digits})[0]


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits") and client.is_model_ready("digits", "1")
    assert not client.is_model_ready("digits", "7") and not client.is_model_ready("nobody")
    server = client.get_server_metadata(as_json=True)
    assert server["name"] == "holdfast-serve" and {"classification", "statistics", "model_repository"} <= set(server["extensions"])
    metadata = client.get_model_metadata("digits", as_json=True)
    assert metadata["versions"] == ["1"] and metadata["inputs"] == [{"name": "pixels", "datatype": "FP32", "shape": ["-1", "64"]}]
    config = client.get_model_config("digits").config
    assert config.name == "digits" and [(i.name, i.data_type, list(i.dims)) for i in config.input] == [("pixels", 11, [-1, 64])]
    with pytest.raises(InferenceServerException) as error:
        client.get_model_metadata("nobody")
    assert error.value.status() == "StatusCode.NOT_FOUND"


def test_the_answers_are_the_raw_runtimes(serve, client):
    raw = onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label", "probabilities"], {"pixels": serve.digits})
    answer = client.infer("digits", [tensor("pixels", serve.digits)], request_id="r-1")
    response = answer.get_response()
    assert (response.id, response.model_version) == ("r-1", "1") and response.parameters["model_digest"].string_param.startswith("sha256:")
    numpy.testing.assert_array_equal(answer.as_numpy("label"), raw[0])
    numpy.testing.assert_allclose(answer.as_numpy("probabilities"), raw[1], rtol=0, atol=1e-6)


KINDS = [(TensorProto.FLOAT, numpy.float32, "fp32_contents"), (TensorProto.DOUBLE, numpy.float64, "fp64_contents"),
         (TensorProto.INT64, numpy.int64, "int64_contents"), (TensorProto.INT32, numpy.int32, "int_contents"),
         (TensorProto.INT16, numpy.int16, "int_contents"), (TensorProto.INT8, numpy.int8, "int_contents"),
         (TensorProto.UINT8, numpy.uint8, "uint_contents"), (TensorProto.UINT16, numpy.uint16, "uint_contents"),
         (TensorProto.UINT32, numpy.uint32, "uint_contents"), (TensorProto.UINT64, numpy.uint64, "uint64_contents"),
         (TensorProto.BOOL, numpy.bool_, "bool_contents")]


@pytest.mark.parametrize("kind, dtype, field", KINDS, ids=[numpy.dtype(d).name for _, d, _ in KINDS])
def test_every_kind_of_number_comes_back(serve, client, stub, kind, dtype, field):
    name = f"echo-{numpy.dtype(dtype).name}"
    assert serve.put(name, 1, echo_model(kind))[0] in (200, 201)
    low, high = (0, 1) if dtype is numpy.bool_ else (-1e30, 1e30) if numpy.issubdtype(dtype, numpy.floating) else (numpy.iinfo(dtype).min, numpy.iinfo(dtype).max)
    values = numpy.array([[low, high, 1], [0, 1, 0]], dtype)
    numpy.testing.assert_array_equal(client.infer(name, [tensor("x", values)]).as_numpy("y"), values)
    request = service_pb2.ModelInferRequest(model_name=name)
    typed = request.inputs.add(name="x", datatype=np_to_triton_dtype(values.dtype), shape=values.shape)
    getattr(typed.contents, field).extend(values.flatten().tolist())
    answer = stub.ModelInfer(request)
    assert numpy.frombuffer(answer.raw_output_contents[0], dtype).reshape(2, 3).tolist() == values.tolist()
    getattr(typed.contents, field).append(1)
    with pytest.raises(grpc.RpcError) as error:
        stub.ModelInfer(request)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "7 elements" in error.value.details()


def test_texts_and_halves_come_back(serve, client):
    assert serve.put("echo-text", 1, echo_model(TensorProto.STRING))[0] in (200, 201)
    values = numpy.array([[b"a\0b", b"", b"\xff\xfe"], [b"x" * 10_000, b"0", "日本".encode()]], dtype=numpy.object_)
    assert client.infer("echo-text", [tensor("x", values)]).as_numpy("y").tolist() == values.tolist()
    assert serve.put("echo-half", 1, echo_model(TensorProto.FLOAT16))[0] in (200, 201)
    halves = numpy.array([[0, -1.5, 65504], [6e-8, numpy.inf, 1]], numpy.float16)
    numpy.testing.assert_array_equal(client.infer("echo-half", [tensor("x", halves)]).as_numpy("y"), halves)
    assert client.infer("echo-half", [tensor("x", halves[:0])]).as_numpy("y").shape == (0, 3)


def test_several_inputs_and_chosen_outputs(client):
    a, b = numpy.array([0.5, 1.5], numpy.float32), numpy.array([1, 2], numpy.int64)
    answer = client.infer("pair", [tensor("b", b), tensor("a", a)])
    numpy.testing.assert_array_equal(answer.as_numpy("sum"), a + b)
    answer = client.infer("pair", [tensor("a", a), tensor("b", b)], outputs=[triton.InferRequestedOutput("double")])
    assert [output.name for output in answer.get_response().outputs] == ["double"]


@pytest.mark.parametrize("sequence", [7, "line 4"])
def test_parameters_of_a_sequence_change_nothing(serve, client, sequence):
    for start, end in [(True, False), (False, True)]:
        answer = client.infer("digits", [tensor("pixels", serve.digits)], sequence_id=sequence, sequence_start=start, sequence_end=end)
        assert (answer.as_numpy("label") == raw_labels(serve)).all()


def test_classification_names_the_best(serve, client):
    answer = client.infer("digits", [tensor("pixels", serve.digits[:5])], outputs=[triton.InferRequestedOutput("probabilities", class_count=2)])
    rows = answer.as_numpy("probabilities")
    assert rows.shape == (5, 2)
    assert [int(row[0].split(b":")[1]) for row in rows] == raw_labels(serve)[:5].tolist()
    assert all(float(best.split(b":")[0]) >= float(second.split(b":")[0]) for best, second in rows)


def test_parallel_and_asynchronous_calls(serve, client):
    rows = numpy.random.default_rng(1).random((20_000, 64), numpy.float32)  # 5 MB
    done: queue.Queue = queue.Queue()
    for _ in range(4):
        client.async_infer("digits", [tensor("pixels", rows)], lambda result, error: done.put((result, error)))
    raw = onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label"], {"pixels": rows})[0]
    for _ in range(4):
        result, error = done.get(timeout=60)
        assert error is None
        numpy.testing.assert_array_equal(result.as_numpy("label"), raw)

    async def many():
        async with triton_aio.InferenceServerClient(serve.grpc) as own:
            return await asyncio.gather(*(own.infer("digits", [tensor("pixels", serve.digits[i:i + 1])]) for i in range(50)))
    assert [int(answer.as_numpy("label")[0]) for answer in asyncio.run(many())] == raw_labels(serve)[:50].tolist()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_messages(serve, client, algorithm):
    answer = client.infer("digits", [tensor("pixels", serve.digits)], compression_algorithm=algorithm)
    numpy.testing.assert_array_equal(answer.as_numpy("label"), raw_labels(serve))


def test_a_stream_answers_in_order_and_goes_on_after_an_error(serve, client):
    done: queue.Queue = queue.Queue()
    client.start_stream(lambda result, error: done.put((result, error)))
    for i in range(30):
        client.async_stream_infer("nobody" if i == 10 else "digits", [tensor("pixels", serve.digits[i:i + 1])], request_id=str(i))
    labels = raw_labels(serve)
    for i in range(30):
        result, error = done.get(timeout=30)
        if i == 10:
            assert "nobody" in error.message()
            continue
        assert error is None and result.get_response().id == str(i) and result.as_numpy("label")[0] == labels[i]
        assert result.get_response().parameters["triton_final_response"].bool_param
    client.stop_stream()


def test_a_stream_that_asks_for_it_ends_with_the_status(serve, stub):
    request = service_pb2.ModelInferRequest(model_name="nobody")
    with pytest.raises(grpc.RpcError) as error:
        list(stub.ModelStreamInfer(iter([request]), metadata=[("triton_grpc_error", "true")]))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


PIXELS = numpy.zeros((1, 64), numpy.float32)
WRONG = {
    "no such model": ("nobody", [tensor("pixels", PIXELS)], None, "NOT_FOUND", "nobody"),
    "no such input": ("digits", [tensor("picture", PIXELS)], None, "INVALID_ARGUMENT", "picture"),
    "wrong type": ("digits", [tensor("pixels", PIXELS.astype(numpy.float64))], None, "INVALID_ARGUMENT", "FP64"),
    "wrong width": ("digits", [tensor("pixels", PIXELS[:, :63])], None, "INVALID_ARGUMENT", "63"),
    "wrong rank": ("digits", [tensor("pixels", PIXELS.reshape(64))], None, "INVALID_ARGUMENT", "pixels"),
    "an input is missing": ("pair", [tensor("a", PIXELS[0])], None, "INVALID_ARGUMENT", "a, b"),
    "an input twice": ("pair", [tensor("a", PIXELS[0])] * 2, None, "INVALID_ARGUMENT", "a"),
    "more than is allowed": ("digits", [tensor("pixels", numpy.zeros((300_000, 64), numpy.float32))], None, "RESOURCE_EXHAUSTED", "larger than max"),
    "an output twice": ("digits", [tensor("pixels", PIXELS)], [triton.InferRequestedOutput("label")] * 2, "INVALID_ARGUMENT", "label"),
    "no such output": ("digits", [tensor("pixels", PIXELS)], [triton.InferRequestedOutput("colour")], "INVALID_ARGUMENT", "colour"),
}


@pytest.mark.parametrize("model, inputs, outputs, status, word", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(client, model, inputs, outputs, status, word):
    with pytest.raises(InferenceServerException) as error:
        client.infer(model, inputs, outputs=outputs)
    assert error.value.status() == f"StatusCode.{status}" and word in error.value.message()
    assert client.infer("digits", [tensor("pixels", PIXELS)]).as_numpy("label").shape == (1,)


def test_wrong_versions_and_broken_tensors(client, stub):
    for version, status in (("7", "NOT_FOUND"), ("0", "INVALID_ARGUMENT"), ("x", "INVALID_ARGUMENT"), ("99999999999999999999", "INVALID_ARGUMENT")):
        with pytest.raises(InferenceServerException) as error:
            client.infer("digits", [tensor("pixels", PIXELS)], model_version=version)
        assert error.value.status() == f"StatusCode.{status}" and version in error.value.message()
    for shape, raw in (([1, 64], [b"\0" * 255]), ([1, 64], [b""]), ([1, 64], [b"\0" * 256] * 2), ([2 ** 62, 64], [b""]), ([-5, 64], [b""]), ([1 << 36, 64], [b"\0" * 256])):
        request = service_pb2.ModelInferRequest(model_name="digits", raw_input_contents=raw)
        request.inputs.add(name="pixels", datatype="FP32", shape=shape)
        with pytest.raises(grpc.RpcError) as broken:
            stub.ModelInfer(request)
        assert broken.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED), (shape, broken.value)
    assert client.is_server_live()


def test_bytes_that_are_no_message(serve, client):
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    calls = [f"/{service.full_name}/{method.name}" for method in service.methods if method.name != "ModelStreamInfer"]
    assert len(calls) == 19
    with grpc.insecure_channel(serve.grpc) as channel:
        for path in [*calls, "/grpc.health.v1.Health/Check"]:
            call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
            for garbage in (b"\xff" * 100, b"\x0a\xff\xff\xff\x7f", bytes(range(256)), b"\x07"):
                with pytest.raises(grpc.RpcError) as error:
                    call(garbage)
                assert (error.value.code(), error.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "the request's bytes are not a message of this call"), path
        for ends in (False, True):
            stream = channel.stream_stream(f"/{service.full_name}/ModelStreamInfer", request_serializer=bytes, response_deserializer=service_pb2.ModelStreamInferResponse.FromString)
            good = service_pb2.ModelInferRequest(model_name="nobody", id="7").SerializeToString()
            answers = stream(iter([b"\xff" * 100, good]), metadata=[("triton_grpc_error", "true")] if ends else [])
            if ends:
                with pytest.raises(grpc.RpcError) as error:
                    list(answers)
                assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            else:
                first, second = answers
                assert "not a message" in first.error_message and "nobody" in second.error_message and second.infer_response.id == "7"
        unknown = channel.unary_unary("/inference.GRPCInferenceService/Nothing", request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.RpcError) as error:
            unknown(b"")
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert client.is_server_live()


def test_statistics_count_what_was_asked(serve, client):
    assert serve.put("counted", 1, scale_model(2))[0] in (200, 201)
    for _ in range(3):
        client.infer("counted", [tensor("x", numpy.ones((1, 2), numpy.float32))])
    row = client.get_inference_statistics("counted").model_stats[0]
    assert (row.name, row.version, row.inference_count, row.execution_count, row.inference_stats.success.count) == ("counted", "1", 3, 3, 3)
    assert row.inference_stats.compute_infer.ns > 0 and row.batch_stats[0].batch_size == 1 and abs(row.last_inference / 1000 - time.time()) < 60
    assert {"counted", "digits"} <= {row.name for row in client.get_inference_statistics().model_stats}
    with pytest.raises(InferenceServerException) as error:
        client.get_inference_statistics("nobody")
    assert error.value.status() == "StatusCode.NOT_FOUND"


def test_repository_control(serve, client):
    assert serve.put("come-and-go", 1, scale_model(2))[0] in (200, 201)
    one = [tensor("x", numpy.ones((1, 2), numpy.float32))]
    client.unload_model("come-and-go")
    assert not client.is_model_ready("come-and-go")
    with pytest.raises(InferenceServerException) as error:
        client.infer("come-and-go", one)
    assert error.value.status() == "StatusCode.UNAVAILABLE"
    rows = {(row.name, row.state, row.reason) for row in client.get_model_repository_index().models}
    assert ("come-and-go", "UNAVAILABLE", "unloaded") in rows
    client.load_model("come-and-go")
    client.load_model("sent", config="{}", files={"file:3/model.onnx": scale_model(5)})
    assert client.infer("come-and-go", one).as_numpy("y").tolist() == [[2, 2]] and client.infer("sent", one, model_version="3").as_numpy("y").tolist() == [[5, 5]]
    for name, files, status in (("nobody", None, "NOT_FOUND"), ("../up", None, "INVALID_ARGUMENT"), ("sent", {"file:4/model.onnx": b"junk"}, "INVALID_ARGUMENT"),
                                ("sent", {"file:4/../../x": b"junk"}, "INVALID_ARGUMENT"), ("sent", {"file:3/model.onnx": scale_model(6)}, "ALREADY_EXISTS")):
        with pytest.raises(InferenceServerException) as refused:
            client.load_model(name, config="{}" if files else None, files=files)
        assert refused.value.status() == f"StatusCode.{status}", (name, refused.value)


def test_logging_trace_and_shared_memory(client):
    settings = client.get_log_settings(as_json=True)["settings"]
    assert settings["log_info"] == {"bool_param": True} and settings["log_format"] == {"string_param": "ISO8601"}
    changed = client.update_log_settings({"log_verbose_level": 1}, as_json=True)["settings"]
    assert changed["log_verbose_level"] == {"uint32_param": 1}
    client.update_log_settings({"log_verbose_level": 0})
    for settings, status in (({"log_error": False}, "INVALID_ARGUMENT"), ({"log_file": "/etc/x"}, "UNIMPLEMENTED"), ({"nothing": True}, "INVALID_ARGUMENT")):
        with pytest.raises(InferenceServerException) as error:
            client.update_log_settings(settings)
        assert error.value.status() == f"StatusCode.{status}"
    assert list(client.get_trace_settings("digits").settings["trace_level"].value) == ["OFF"]
    with pytest.raises(InferenceServerException) as error:
        client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]})
    assert error.value.status() == "StatusCode.UNIMPLEMENTED"
    for call in (client.get_system_shared_memory_status, client.get_cuda_shared_memory_status, client.unregister_system_shared_memory,
                 lambda: client.register_system_shared_memory("r", "/r", 16)):
        with pytest.raises(InferenceServerException) as error:
            call()
        assert error.value.status() == "StatusCode.UNIMPLEMENTED"
    shared = triton.InferInput("pixels", [1, 64], "FP32")
    shared.set_shared_memory("r", 256)
    with pytest.raises(InferenceServerException) as error:
        client.infer("digits", [shared])
    assert error.value.status() == "StatusCode.UNIMPLEMENTED"


def field(number: int, wire: int, value: bytes | int) -> bytes:
    return bytes([number << 3 | wire]) + (bytes([value]) if wire == 0 else bytes([len(value)]) + value)


def test_the_standard_health_service(serve, client):
    assert serve.put("ill", 1, scale_model(1))[0] in (200, 201)
    with grpc.insecure_channel(serve.grpc) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes)
        assert check(b"") == check(field(1, 2, b"inference.GRPCInferenceService")) == field(1, 0, 1)
        with pytest.raises(grpc.RpcError) as error:
            check(field(1, 2, b"nobody"))
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch", request_serializer=bytes, response_deserializer=bytes)(b"")
        assert next(watch) == field(1, 0, 1)
        watch.cancel()
        unknown = channel.unary_stream("/grpc.health.v1.Health/Watch", request_serializer=bytes, response_deserializer=bytes)(field(1, 2, b"nobody"))
        assert next(unknown) == field(1, 0, 3)
        unknown.cancel()


def test_versions_change_under_load_without_an_error(serve):
    assert serve.put("swapped", 1, scale_model(1))[0] in (200, 201)
    stop, wrong, count = threading.Event(), [], [0]

    def ask() -> None:
        with triton.InferenceServerClient(serve.grpc) as own:
            while not stop.is_set():
                answer = own.infer("swapped", [tensor("x", numpy.ones((1, 2), numpy.float32))])
                count[0] += 1
                if answer.as_numpy("y")[0, 0] != float(answer.get_response().model_version):
                    wrong.append(answer.get_response().model_version)
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(2, 12):
        assert serve.put("swapped", version, scale_model(version))[0] in (200, 201)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and count[0] > 10


def test_a_deadline_is_kept_and_a_stop_ends_idle_streams(tmp_path):
    with Serve(tmp_path).running() as own:
        assert own.put("texts", 1, echo_model(TensorProto.STRING))[0] in (200, 201)
        many = numpy.full((20_000, 3), b"text", numpy.object_)  # longer to read than a microsecond
        with triton.InferenceServerClient(own.grpc) as client, grpc.insecure_channel(own.grpc) as channel:
            with pytest.raises(InferenceServerException) as error:
                client.infer("texts", [tensor("x", many)], timeout=1)
            assert error.value.status() == "StatusCode.DEADLINE_EXCEEDED" and "before the model could run" in error.value.message()
            assert client.infer("texts", [tensor("x", many)], timeout=60_000_000).as_numpy("y").shape == (20_000, 3)
            idle = threading.Event()
            stream = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter(lambda: idle.wait(30), None))
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch", request_serializer=bytes, response_deserializer=bytes)(b"")
            assert next(watch) == field(1, 0, 1)
            began = time.monotonic()
            own.process.terminate()
            assert own.process.wait(30) == 0 and time.monotonic() - began < 5
            idle.set()
            assert stream.code() is not None


def test_a_stop_among_calls_ends_well(tmp_path):
    """Callers do not pause while it stops; a server that goes before its last event is handled ends by a signal in some of these rounds."""
    serve = Serve(tmp_path)
    digits, _ = digits_model(tmp_path)
    request = service_pb2.ModelInferRequest(model_name="digits", raw_input_contents=[numpy.full((1, 64), 0.5, numpy.float32).tobytes()])
    request.inputs.add(name="pixels", datatype="FP32", shape=[1, 64])

    def ask(stub, answered: list[int]) -> None:
        try:
            while True:
                stub.ModelInfer(request, timeout=20)
                answered.append(1)
        except grpc.RpcError:
            return

    for round_ in range(15):
        answered: list[int] = []
        with serve.running() as running:  # which is stopped at the end of this block, and must end with 0
            if round_ == 0:
                assert running.put("digits", 1, digits)[0] == 201
            channel = grpc.insecure_channel(running.grpc)
            threads = [threading.Thread(target=ask, args=(service_pb2_grpc.GRPCInferenceServiceStub(channel), answered)) for _ in range(3)]
            for thread in threads:
                thread.start()
            while not answered:
                time.sleep(0.002)
        for thread in threads:
            thread.join()
        channel.close()
