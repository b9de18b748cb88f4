"""A real holdfast-serve for the client tests, and small real models to give it."""
import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", pathlib.Path(__file__).parents[2] / "build/release/bin"))


class Serve:
    def __init__(self, folder: pathlib.Path, config: dict | None = None):
        self.folder, self.data = folder, folder / "serve"
        (folder / "serve.yaml").write_text(json.dumps(config or {}))

    @contextlib.contextmanager
    def running(self, ends: int = 0):
        """`ends`: its exit status, -9 where the test kills it."""
        (self.data / "run.json").unlink(missing_ok=True)
        with open(self.folder / "serve.log", "ab") as log:
            process = subprocess.Popen([BIN / "holdfast-serve", "--config", self.folder / "serve.yaml", "--data", self.data, "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"], stderr=log)
        self.pid = process.pid
        try:
            deadline = time.monotonic() + 30
            while not (self.data / "run.json").exists():
                assert process.poll() is None and time.monotonic() < deadline, (self.folder / "serve.log").read_text()
                time.sleep(0.01)
            doors = json.loads((self.data / "run.json").read_text())
            self.process, self.address, self.grpc = process, doors["http"], doors["grpc"]
            yield self
        finally:
            process.terminate()
            ended = process.wait(30)
            assert ended == ends, f"ended with {ended}:\n" + (self.folder / "serve.log").read_text()

    def put(self, name: str, version: int, model: bytes) -> tuple[int, dict]:
        """Sends a model in; (status, answer)."""
        request = urllib.request.Request(f"http://{self.address}/api/v1/models/{name}/versions/{version}", model, method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def _model(nodes, inputs, outputs, initializers=()) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def echo_model(kind: int, columns: int = 3) -> bytes:
    """`y` is `x` itself, of any of ONNX's element types; rows are free."""
    shape = ["n", columns]
    return _model([helper.make_node("Identity", ["x"], ["y"])], [helper.make_tensor_value_info("x", kind, shape)],
                  [helper.make_tensor_value_info("y", kind, shape)])


def one_node_model(kind: str, names: tuple[str, str], shape: list, **attributes) -> bytes:
    """One operator from floats to floats of the same shape."""
    return _model([helper.make_node(kind, [names[0]], [names[1]], **attributes)], [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, shape)],
                  [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, shape)])


def scale_model(factor: float) -> bytes:
    """`y` = factor · `x`: tells which version answered."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [factor])
    return _model([helper.make_node("Mul", ["x", "w"], ["y"])], [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])], [weight])


def picky_model() -> bytes:
    """`y` is `x` in a row of as many numbers as its largest value says: with any other value the engine itself fails."""
    return _model([helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0), helper.make_node("Cast", ["most"], ["count"], to=TensorProto.INT64),
                   helper.make_node("Reshape", ["count", "one"], ["shape"]), helper.make_node("Reshape", ["x", "shape"], ["y"])],
                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m"])],
                  [helper.make_tensor("one", TensorProto.INT64, [1], [1])])


def picky_scale_model(factor: float) -> bytes:
    """As scale_model, but the engine fails unless the largest value is the number of values."""
    return _model([helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0), helper.make_node("Cast", ["most"], ["count"], to=TensorProto.INT64),
                   helper.make_node("Reshape", ["count", "one"], ["shape"]), helper.make_node("Reshape", ["x", "shape"], ["flat"]),
                   helper.make_node("Reshape", ["flat", "pairs"], ["back"]), helper.make_node("Mul", ["back", "w"], ["y"])],
                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
                  [helper.make_tensor("one", TensorProto.INT64, [1], [1]), helper.make_tensor("pairs", TensorProto.INT64, [2], [-1, 2]),
                   helper.make_tensor("w", TensorProto.FLOAT, [1], [factor])])


def places_model() -> bytes:
    """`at` is where `x` is not 0: at how many places, only the values say. `twice` is twice `x`."""
    return _model([helper.make_node("NonZero", ["x"], ["at"]), helper.make_node("Add", ["x", "x"], ["twice"])],
                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
                  [helper.make_tensor_value_info("at", TensorProto.INT64, [1, "m"]), helper.make_tensor_value_info("twice", TensorProto.FLOAT, ["n"])])


def deep_model(layers: int, width: int = 256) -> bytes:
    """Turns its `width` numbers round by one place `layers` times, by products of matrices: slow, and exact to the last bit however it is run."""
    turn = helper.make_tensor("w", TensorProto.FLOAT, [width, width], numpy.roll(numpy.eye(width, dtype=numpy.float32), 1, axis=1).flatten())
    nodes = [helper.make_node("MatMul", [f"x{i}" if i else "x", "w"], [f"x{i + 1}" if i + 1 < layers else "y"]) for i in range(layers)]
    return _model(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])], [turn])


def two_by_two_model() -> bytes:
    """Inputs a (float) and b (int64), outputs sum (float) and double (int64)."""
    nodes = [helper.make_node("Cast", ["b"], ["bf"], to=TensorProto.FLOAT), helper.make_node("Add", ["a", "bf"], ["sum"]),
             helper.make_node("Add", ["b", "b"], ["double"])]
    return _model(nodes, [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n"]), helper.make_tensor_value_info("b", TensorProto.INT64, ["n"])],
                  [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n"]), helper.make_tensor_value_info("double", TensorProto.INT64, ["n"])])


def conv_model() -> bytes:
    """A small network of convolutions over pictures of any number: x [n,3,16,16] → features [n,8], label [n]."""
    draw = numpy.random.default_rng(5)
    weights = {"k": draw.normal(size=(8, 3, 3, 3)), "b": draw.normal(size=8), "w": draw.normal(size=(8, 8))}
    return _model(
        [helper.make_node("Conv", ["x", "k", "b"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"]),
         helper.make_node("GlobalAveragePool", ["r"], ["g"]), helper.make_node("Flatten", ["g"], ["f"]),
         helper.make_node("MatMul", ["f", "w"], ["features"]), helper.make_node("ArgMax", ["features"], ["label"], axis=1, keepdims=0)],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 8]), helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])],
        [numpy_helper.from_array(value.astype(numpy.float32), name) for name, value in weights.items()])


def text_model() -> bytes:
    """`y` is `x` itself, texts."""
    return _model([helper.make_node("Identity", ["x"], ["y"])], [helper.make_tensor_value_info("x", TensorProto.STRING, ["n"])],
                  [helper.make_tensor_value_info("y", TensorProto.STRING, ["n"])])


def digits_model(folder: pathlib.Path) -> tuple[bytes, numpy.ndarray]:
    """The example's MLP, and 100 digits that it has not learned."""
    import sys
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/digits"))
    from sklearn.datasets import load_digits
    from train import export, train
    export(train(260), folder / "digits.onnx")
    return (folder / "digits.onnx").read_bytes(), (load_digits().data[260:360] / 16).astype(numpy.float32)
