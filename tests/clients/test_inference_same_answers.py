"""The same ONNX files, asked of the raw ONNX Runtime, of holdfast-serve and of the model's image under podman: the same answers, bit for bit."""
import pathlib
import shutil
import sys
import time

import numpy
import onnxruntime
import pytest
import tritonclient.grpc
import tritonclient.http
from process_support import free_ports
from registry_support import Http, Podman, sha256
from serve_support import Serve, digits_model

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from tuning import resnet50  # noqa: E402

OCR = ROOT / ".deps/peers/rapidocr/rapidocr_onnxruntime/models"
needs_podman = pytest.mark.skipif(shutil.which("podman") is None or shutil.which("runc") is None, reason="podman or runc is not installed")
Rows = list[dict[str, numpy.ndarray]]  # requests: arrays by input


def picture_rows(seed: int, *shapes: tuple[int, ...]) -> Rows:
    draw = numpy.random.default_rng(seed)
    return [{"x": draw.uniform(-1, 1, shape).astype(numpy.float32)} for shape in shapes]


@pytest.fixture(scope="module", params=["mlp", "ocr-rec", "ocr-cls", "ocr-det", "resnet50"])
def case(request, tmp_path_factory) -> tuple[str, bytes, Rows]:
    """A model's name, its file, and requests of one and of several rows. The OCR networks are the wheel's; ResNet-50 has the architecture, and weights drawn at random."""
    folder = tmp_path_factory.mktemp("model")
    match request.param:
        case "mlp":
            model, digits = digits_model(folder)
            return "mlp", model, [{"pixels": digits[:1]}, {"pixels": digits[1:60]}]
        case "resnet50":
            resnet50(folder / "resnet50.onnx")
            return "resnet50", (folder / "resnet50.onnx").read_bytes(), picture_rows(50, (1, 3, 224, 224), (2, 3, 224, 224))
        case "ocr-rec":
            file, shapes = "ch_PP-OCRv4_rec_infer.onnx", [(1, 3, 48, 320), (3, 3, 48, 161)]
        case "ocr-cls":
            file, shapes = "ch_ppocr_mobile_v2.0_cls_infer.onnx", [(1, 3, 48, 192), (5, 3, 48, 192)]
        case "ocr-det":
            file, shapes = "ch_PP-OCRv4_det_infer.onnx", [(1, 3, 96, 128), (1, 3, 320, 480)]
    return request.param, (OCR / file).read_bytes(), picture_rows(7, *shapes)


@pytest.fixture(scope="module")
def raw(case) -> list[dict[str, numpy.ndarray]]:
    """What ONNX Runtime itself says, with its default settings: answers by output, for each request."""
    session = onnxruntime.InferenceSession(case[1], providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, row), strict=True)) for row in case[2]]


def check_all(http: str, grpc: str, name: str, model: bytes, rows: Rows, raw: list[dict[str, numpy.ndarray]]) -> None:
    """Every request over both protocols."""
    with tritonclient.http.InferenceServerClient(http) as over_http, tritonclient.grpc.InferenceServerClient(grpc) as over_grpc:
        metadata = over_http.get_model_metadata(name)
        assert metadata["parameters"]["model_digest"] == sha256(model) and metadata["platform"] == "onnxruntime_onnx"
        for module, client in ((tritonclient.http, over_http), (tritonclient.grpc, over_grpc)):
            for row, wanted in zip(rows, raw, strict=True):
                inputs = []
                for key, value in row.items():
                    inputs.append(module.InferInput(key, value.shape, "FP32"))
                    inputs[-1].set_data_from_numpy(value)
                answer = client.infer(name, inputs)
                for output, expected in wanted.items():
                    got = answer.as_numpy(output)
                    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
                    assert got.tobytes() == expected.tobytes(), f"{output} differs by up to {numpy.abs(got - expected).max()}"


def test_the_server_answers_as_the_raw_runtime(case, raw, tmp_path):
    name, model, rows = case
    with Serve(tmp_path).running() as serve:
        assert serve.put(name, 1, model)[0] in (200, 201)
        check_all(serve.address, serve.grpc, name, model, rows, raw)


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    podman = Podman(tmp_path_factory.mktemp("podman") / "own")
    yield podman
    podman.close()


@needs_podman
def test_the_models_image_answers_as_the_raw_runtime(case, raw, hub, podman):
    name, model, rows = case
    api = Http(hub.run["http"], (hub.data / "token").read_text().strip())
    status, _, body = api.ask("PUT", f"/api/v1/registry/models/{name}/1", model)
    assert status in (200, 201), body
    image = f"{api.address}/models/{name}:1"
    podman("pull", "--quiet", "--tls-verify=false", "--creds", f"me:{api.token}", image)
    http, grpc = free_ports(2)
    box = podman("run", "--detach", "--read-only", "--cap-drop=all", "--publish", f"127.0.0.1:{http}:8000", "--publish", f"127.0.0.1:{grpc}:8001", image)
    try:
        deadline = time.monotonic() + 60
        with tritonclient.http.InferenceServerClient(f"127.0.0.1:{http}") as client:
            while not is_ready(client, name):
                assert time.monotonic() < deadline, podman("logs", box)
                time.sleep(0.05)
        check_all(f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", name, model, rows, raw)
    finally:
        podman("rm", "--force", "--time", "1", box)
        podman("rmi", "--force", image)


def is_ready(client: tritonclient.http.InferenceServerClient, name: str) -> bool:
    try:
        return client.is_model_ready(name)
    except OSError:
        return False
