"""Models that are sent in are loaded and run in a confined process first: what a hostile one does, it does there."""
import concurrent.futures
import os
import pathlib
import signal
import time

import numpy
import pytest
import tritonclient.http as triton
from onnx import TensorProto, helper
from serve_support import Serve, _model, conv_model, scale_model, text_model


def huge_model() -> bytes:
    """A constant of 8 GB in a file of some bytes: the engine makes it while it loads."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [46341, 46341])
    return _model([helper.make_node("ConstantOfShape", ["shape"], ["big"]), helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
                   helper.make_node("Add", ["x", "sum"], ["y"])], [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])], [shape])


def endless_model() -> bytes:
    """A loop of 2^62 rounds."""
    body = helper.make_graph([helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["v"], ["w"])], "body",
                             [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                              helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n", 2])],
                             [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("w", TensorProto.FLOAT, ["n", 2])])
    return _model([helper.make_node("Loop", ["rounds", "true", "x"], ["y"], body=body)], [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
                  [helper.make_tensor("rounds", TensorProto.INT64, [], [1 << 62]), helper.make_tensor("true", TensorProto.BOOL, [], [True])])


def outside_model(path: str) -> bytes:
    """Its weights are said to be in another file."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [0.0])
    weight.ClearField("float_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in [("location", path), ("offset", "0"), ("length", "4")]:
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def resident_mib(pid: int) -> float:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def children(pid: int) -> list[int]:
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


def answers(serve: Serve) -> bool:
    client = triton.InferenceServerClient(serve.address)
    try:
        given = triton.InferInput("x", [1, 2], "FP32")
        given.set_data_from_numpy(numpy.ones((1, 2), numpy.float32))
        return bool((client.infer("scale", [given]).as_numpy("y") == 3).all())
    finally:
        client.close()


def pid_of(serve: Serve) -> int:
    import json
    return json.loads((serve.data / "run.json").read_text())["pid"]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_what_is_good_comes_in_as_before(tmp_path, engine):
    with Serve(tmp_path, {"engine": engine}).running() as serve:
        for name, model in [("net", conv_model()), ("texts", text_model()), ("scale", scale_model(3.0))]:
            assert serve.put(name, 1, model)[0] == 201, name
        assert answers(serve) and not children(pid_of(serve))


def test_one_that_takes_all_memory_takes_none_of_the_servers(tmp_path):
    with Serve(tmp_path, {"memory": {"budget": "1GiB"}}).running() as serve:
        assert serve.put("scale", 1, scale_model(3.0))[0] == 201
        before = resident_mib(pid_of(serve))
        status, answer = serve.put("huge", 1, huge_model())
        assert status == 400 and "not a usable ONNX model" in answer["error"], answer
        assert resident_mib(pid_of(serve)) < before + 32
        assert answers(serve) and not (serve.data / "models/huge").exists()


def test_one_that_does_not_end_is_ended(tmp_path):
    with Serve(tmp_path, {"sandbox": {"time": "2s"}}).running() as serve:
        assert serve.put("scale", 1, scale_model(3.0))[0] == 201
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            sending = pool.submit(serve.put, "loop", 1, endless_model())
            while not sending.done():
                assert answers(serve)  # others are served meanwhile
            status, answer = sending.result()
        assert status == 400 and "longer than 2 s" in answer["error"], answer
        assert not children(pid_of(serve)) and not (serve.data / "models/loop").exists()


def test_one_that_crashes_the_engine_crashes_nothing_else(tmp_path):
    with Serve(tmp_path).running() as serve:
        assert serve.put("scale", 1, scale_model(3.0))[0] == 201
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            sending = pool.submit(serve.put, "loop", 1, endless_model())
            deadline = time.monotonic() + 30
            while not (found := children(pid_of(serve))) and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.5)  # it is past its own set-up
            os.kill(found[0], signal.SIGSEGV)
            status, answer = sending.result()
        assert status == 400 and "the engine crashes on the model: Segmentation fault" in answer["error"], answer
        assert answers(serve)


def test_no_file_but_the_models_own_is_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(numpy.float32(42).tobytes())
    with Serve(tmp_path).running() as serve:
        for path in [str(secret), "../../../../secret", "/etc/hostname"]:
            status, answer = serve.put("outside", 1, outside_model(path))
            assert status == 400 and "42" not in answer["error"], answer
        assert not (serve.data / "models/outside").exists()


def test_it_can_be_switched_off(tmp_path):
    with Serve(tmp_path, {"sandbox": {"enabled": False}}).running() as serve:
        assert serve.put("scale", 1, scale_model(3.0))[0] == 201
        status, answer = serve.put("bad", 1, b"nothing")
        assert status == 400 and "not a usable ONNX model" in answer["error"]
