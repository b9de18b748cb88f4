"""JPEG and PNG files in place of a numeric input: unmodified tritonclient, grpcio and plain HTTP; what the model gets is what Pillow and numpy make."""
import base64
import io
import json
import pathlib
import struct
import urllib.error
import urllib.request
import zlib

import grpc
import numpy
import onnx
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from onnx import TensorProto, helper
from PIL import Image
from serve_support import Serve, conv_model
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

WIDTH, HEIGHT = 64, 48
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
RECIPE = f"""steps:
  - decode: {{color: rgb}}
  - resize: {{width: {WIDTH}, height: {HEIGHT}, filter: bilinear}}
  - scale: {{from: [0, 255], to: [0, 1]}}
  - normalize: {{mean: {MEAN}, std: {STD}}}
  - layout: chw
  - type: float32
"""
PHOTOGRAPHS = pathlib.Path("/usr/share/doc/opencv-doc/examples/data")  # of Debian's opencv-doc, where it is installed


def echo(shape: list) -> bytes:
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    serve = Serve(tmp_path_factory.mktemp("serve"))
    for name, model, recipe in (("batch", echo(["n", 3, HEIGHT, WIDTH]), RECIPE), ("single", echo([3, HEIGHT, WIDTH]), RECIPE), ("plain", echo(["n", 3, HEIGHT, WIDTH]), None),
                                ("conv", conv_model(), RECIPE.replace("64", "16").replace("48", "16")), ("wrong", conv_model(), RECIPE),
                                ("typo", conv_model(), RECIPE.replace("bilinear", "bilinaer"))):
        (serve.data / "models" / name / "1").mkdir(parents=True)
        (serve.data / "models" / name / "1/model.onnx").write_bytes(model)
        if recipe:
            (serve.data / "models" / name / "picture.yaml").write_text(recipe)
    with serve.running() as running:
        yield running


def drawn(seed: int, size: tuple[int, int], kind: str) -> bytes:
    """A smooth picture with edges, as a file."""
    draw = numpy.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (7, 9, 3), numpy.uint8)).resize(size, Image.Resampling.BICUBIC)
    coarse.paste((250, 10, 30), (size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    coarse.save(out, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return out.getvalue()


def files() -> dict[str, bytes]:
    made = {f"{kind.lower()}-{size[0]}x{size[1]}": drawn(len(kind) + size[0], size, kind) for kind in ("JPEG", "PNG") for size in ((640, 480), (64, 48), (40, 90))}
    for name in ("fruits.jpg", "baboon.jpg", "lena.jpg", "building.jpg", "messi5.jpg"):
        if (PHOTOGRAPHS / name).exists():
            made[name] = (PHOTOGRAPHS / name).read_bytes()
    return made


FILES = files()


def by_pillow(file: bytes) -> numpy.ndarray:
    picture = Image.open(io.BytesIO(file)).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    values = (numpy.asarray(picture, numpy.float32) / 255 - numpy.array(MEAN, numpy.float32)) / numpy.array(STD, numpy.float32)
    return values.transpose(2, 0, 1)


def texts(*pictures: bytes) -> numpy.ndarray:
    return numpy.array(pictures, dtype=numpy.object_)


def over_http(serve, model: str, values: numpy.ndarray, binary: bool = True) -> numpy.ndarray:
    tensor = triton_http.InferInput("x", list(values.shape), "BYTES")
    tensor.set_data_from_numpy(values, binary_data=binary)
    return triton_http.InferenceServerClient(serve.address).infer(model, [tensor]).as_numpy("y")


def over_grpc(serve, model: str, values: numpy.ndarray) -> numpy.ndarray:
    tensor = triton_grpc.InferInput("x", list(values.shape), "BYTES")
    tensor.set_data_from_numpy(values)
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        return client.infer(model, [tensor]).as_numpy("y")


@pytest.mark.parametrize("name", FILES)
def test_the_tensor_is_what_pillow_and_numpy_make(serve, name):
    made = over_http(serve, "batch", texts(FILES[name]))
    assert made.shape == (1, 3, HEIGHT, WIDTH)
    away = numpy.abs(made[0] - by_pillow(FILES[name])) * numpy.array(STD).reshape(3, 1, 1) * 255
    if FILES[name].startswith(b"\x89PNG"):
        assert away.max() <= 1  # Pillow rounds to whole samples after the resize
    else:
        # A large JPEG is made smaller while it is decoded, as Pillow's draft mode does it.
        assert away.mean() <= 2 and numpy.quantile(away, 0.99) <= 10, (away.mean(), numpy.quantile(away, 0.99), away.max())


def test_every_way_in_gives_the_same(serve):
    pictures = [FILES["jpeg-640x480"], FILES["png-40x90"], FILES["png-640x480"]]
    made = over_http(serve, "batch", texts(*pictures))
    numpy.testing.assert_array_equal(over_grpc(serve, "batch", texts(*pictures)), made)
    numpy.testing.assert_array_equal(over_grpc(serve, "batch", texts(*pictures).reshape(3, 1)), made)
    numpy.testing.assert_array_equal(over_http(serve, "batch", texts(*(base64.b64encode(p) for p in pictures)), binary=False), made)
    request = service_pb2.ModelInferRequest(model_name="batch")
    request.inputs.add(name="x", datatype="BYTES", shape=[3]).contents.bytes_contents.extend(pictures)
    with grpc.insecure_channel(serve.grpc) as channel:
        answer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    numpy.testing.assert_array_equal(numpy.frombuffer(answer.raw_output_contents[0], numpy.float32).reshape(made.shape), made)
    for place, picture in enumerate(pictures):
        for headers in ({"Content-Type": "image/jpeg"}, {"Inference-Header-Content-Length": "0"}):
            numpy.testing.assert_array_equal(raw(serve, "batch", picture, headers).reshape(made[place].shape), made[place])


def raw(serve, model: str, body: bytes, headers: dict) -> numpy.ndarray:
    request = urllib.request.Request(f"http://{serve.address}/v2/models/{model}/infer", body, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return numpy.frombuffer(answer.read()[int(answer.headers["Inference-Header-Content-Length"]):], numpy.float32)


def test_a_model_without_a_batch_takes_one(serve):
    one = FILES["jpeg-64x48"]
    numpy.testing.assert_array_equal(over_http(serve, "single", texts(one)), over_http(serve, "batch", texts(one))[0])
    with pytest.raises(InferenceServerException, match=r"shape \[2,3,48,64\], the model wants \[3,48,64\]"):
        over_http(serve, "single", texts(one, one))


def test_tensors_are_taken_as_before(serve):
    values = numpy.random.default_rng(1).normal(size=(2, 3, HEIGHT, WIDTH)).astype(numpy.float32)
    tensor = triton_http.InferInput("x", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    numpy.testing.assert_array_equal(triton_http.InferenceServerClient(serve.address).infer("batch", [tensor]).as_numpy("y"), values)


def test_a_real_network_answers_to_photographs(serve):
    tensor = triton_grpc.InferInput("x", [len(FILES)], "BYTES")
    tensor.set_data_from_numpy(texts(*FILES.values()))
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        answer = client.infer("conv", [tensor])
    assert answer.as_numpy("label").shape == (len(FILES),) and len(set(answer.as_numpy("features")[:, 0].tolist())) > 3


def png(width: int, height: int) -> bytes:
    """A true picture of black, far smaller as a file than decoded."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 4 * width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


HOSTILE = {"side": (lambda: png(17000, 4), "413", "StatusCode.RESOURCE_EXHAUSTED", "the limit is 16384 a side"),
           "bomb": (lambda: png(12000, 12000), "413", "StatusCode.RESOURCE_EXHAUSTED", "the limit is 256.0 MiB"),
           "cut": (lambda: FILES["jpeg-640x480"][:5000], "400", "StatusCode.INVALID_ARGUMENT", "picture 2 of 2"),
           "text": (lambda: b"not a picture", "400", "StatusCode.INVALID_ARGUMENT", "neither PNG nor JPEG"),
           "empty": (lambda: b"", "400", "StatusCode.INVALID_ARGUMENT", "empty")}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_picture_or_too_large_is_refused(serve, kind):
    make, status, code, why = HOSTILE[kind]
    pictures = texts(FILES["png-64x48"], make())
    for call, wanted in ((over_http, status), (over_grpc, code)):
        with pytest.raises(InferenceServerException) as error:
            call(serve, "batch", pictures)
        assert error.value.status() == wanted and why in error.value.message() and "input 'x', picture 2 of 2" in error.value.message()
    assert peak_mib(serve) < 300


def peak_mib(serve) -> float:
    status = pathlib.Path(f"/proc/{serve.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def test_where_there_is_no_recipe_the_model_wants_its_tensor(serve):
    with pytest.raises(InferenceServerException, match="has the datatype BYTES, the model wants FP32"):
        over_http(serve, "plain", texts(FILES["png-64x48"]))
    with pytest.raises(urllib.error.HTTPError) as error:
        raw(serve, "plain", FILES["png-64x48"], {"Content-Type": "image/png"})
    assert error.value.code == 400
    with pytest.raises(InferenceServerException, match="base64"):
        over_http(serve, "batch", texts(b"?!"), binary=False)
    with pytest.raises(InferenceServerException, match=r"pictures have \[n\] or \[n,1\]"):
        over_http(serve, "batch", texts(*[FILES["png-64x48"]] * 4).reshape(2, 2))


def test_a_recipe_that_does_not_fit_is_told_at_the_load(serve):
    client = triton_http.InferenceServerClient(serve.address)
    index = {row["name"]: row for row in client.get_model_repository_index()}
    assert index["wrong"]["state"] == "UNAVAILABLE" and "tensors of [3,48,64], and no input of the model takes them" in index["wrong"]["reason"]
    assert index["typo"]["state"] == "UNAVAILABLE" and "picture.yaml:3:" in index["typo"]["reason"] and "bilinaer" in index["typo"]["reason"]
    (serve.data / "models/typo/picture.yaml").write_text(RECIPE.replace("64", "16").replace("48", "16"))
    client.load_model("typo")
    tensor = triton_http.InferInput("x", [1], "BYTES")
    tensor.set_data_from_numpy(texts(FILES["png-64x48"]))
    assert client.infer("typo", [tensor]).as_numpy("label").shape == (1,)


def test_metadata_stay_the_models(serve):
    with urllib.request.urlopen(f"http://{serve.address}/v2/models/batch", timeout=10) as answer:
        assert json.load(answer)["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3, HEIGHT, WIDTH]}]
    assert onnx.load_from_string(echo([1])).graph.input[0].name == "x"
