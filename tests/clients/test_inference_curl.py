"""curl, unmodified, at the inference server: /score, metadata, and what is wrong with a request."""
import json
import subprocess

import onnxruntime
import pytest
from serve_support import Serve, digits_model, two_by_two_model


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve")).running() as running:
        running.model, running.digits = digits_model(running.folder)
        assert running.put("digits", 1, running.model)[0] in (200, 201)
        yield running


def curl(serve, path: str, *arguments: str, data: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one call."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--dump-header", str(serve.folder / "head"), *arguments]
    if data is not None:
        command += ["--data-binary", "@-"]
    done = subprocess.run([*command, f"http://{serve.address}{path}"], input=data or b"", capture_output=True, check=True)
    lines = (serve.folder / "head").read_text().splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return int([line for line in lines if line.startswith("HTTP/")][-1].split()[1]), headers, done.stdout


def test_score(serve):
    rows = serve.digits[:5].tolist()
    raw = onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label"], {"pixels": serve.digits[:5]})[0].tolist()
    for body in ({"data": rows}, {"input_data": rows}, {"input_data": {"columns": list(range(64)), "data": rows}}):
        status, headers, text = curl(serve, "/score", "-H", "Content-Type: application/json", data=json.dumps(body).encode())
        assert status == 200 and json.loads(text)["label"] == raw
        assert headers["holdfast-model-digest"].startswith("sha256:") and headers["azureml-model-deployment"] == "digits-1"
    assert curl(serve, "/score?model=digits", data=json.dumps({"data": rows}).encode())[0] == 200
    assert curl(serve, "/")[2] == b"Healthy"


@pytest.mark.parametrize("body, word", [(b"", "JSON"), (b"{", "JSON"), (b"[1]", "data"), (b"{}", "data"), (b'{"data":[]}', "data"), (b'{"data":[[1,2]]}', "64"),
                                        (b'{"data":[["a"]]}', "[1,1]"), (b"[" * 10_000, "JSON"), (b"\xff\xfe", "JSON"),
                                        (b'{"data":[[1],[1,2]]}', "different lengths, 1 and 2"), (b'{"data":7}', "list")])
def test_bad_bodies(serve, body, word):
    status, headers, text = curl(serve, "/score", data=body)
    assert status == 400 and word in json.loads(text)["error"]
    assert headers["content-type"] == "application/json"


def test_bodies_in_another_form(serve):
    status, _, text = curl(serve, "/score", "--form", "data=[[1]]")  # multipart/form-data
    assert status == 400 and "JSON" in json.loads(text)["error"]
    status, _, text = curl(serve, "/score", "-H", "Content-Encoding: br", data=b'{"data":[[1]]}')
    assert status == 415 and "br" in json.loads(text)["error"]
    status, _, text = curl(serve, "/score", "-H", "Content-Encoding: gzip", data=b'{"data":[[1]]}')
    assert status == 400 and "gzip" in json.loads(text)["error"]


def test_elements_hidden_deep(serve):
    """More elements than the shape says, below more levels than any tensor has."""
    for depth in (16, 33, 34, 900):
        data = "[" * depth + ",".join(["1"] * 100_000) + "]" * depth
        body = '{"inputs":[{"name":"pixels","datatype":"FP32","shape":[1,64],"data":[%s%s]}]}' % ("1," * 63, data)
        for path in ("/v2/models/digits/infer", "/score"):
            status, _, text = curl(serve, path, data=body.encode() if path != "/score" else b'{"data":' + data.encode() + b"}")
            assert status == 400 and json.loads(text)["error"]
    assert curl(serve, "/v2/models/digits/ready")[0] == 200


def test_an_error_is_json_whatever_was_asked_for(serve):
    status, _, text = curl(serve, "/v2/models/%ff%22%0a/ready")
    assert status == 404 and "there is no model" in json.loads(text)["error"]


def test_the_index_of_what_is_ready(serve):
    assert curl(serve, "/v2/repository/models/digits/unload", "-X", "POST")[0] == 200
    try:
        assert curl(serve, "/v2/models/digits/ready")[0] == 503
        rows = json.loads(curl(serve, "/v2/repository/index", data=b"{}")[2])
        assert {"name": "digits", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"} in rows
        assert all(row["state"] == "READY" for row in json.loads(curl(serve, "/v2/repository/index", data=b'{"ready":true}')[2]))
        assert curl(serve, "/v2/repository/index", data=b"{")[0] == 400
        status, _, text = curl(serve, "/score?model=digits", data=b'{"data":[[1]]}')
        assert status == 503 and "unloaded" in json.loads(text)["error"]
    finally:
        assert curl(serve, "/v2/repository/models/digits/load", "-X", "POST")[0] == 200


def test_the_metrics_of_a_name_stand_together(serve):
    assert curl(serve, "/score", data=json.dumps({"data": serve.digits[:1].tolist()}).encode())[0] == 200
    lines = curl(serve, "/metrics")[2].decode().splitlines()
    families, opened = [], ""
    for line in lines:  # HELP and TYPE open a family; what follows are its samples
        if line.startswith("# HELP "):
            opened = line.split()[2]
            families.append(opened)
        else:
            assert line.startswith((f"# TYPE {opened} ", f"{opened}{{", f"{opened} ", f"{opened}_bucket{{", f"{opened}_sum{{", f"{opened}_count{{")), line
    assert len(set(families)) == len(families) >= 10
    success = next(line for line in lines if line.startswith('nv_inference_request_success{model="digits",version="1"}'))
    assert int(success.split()[-1]) >= 1


def test_an_oversized_body(serve):
    # A little too large: where much more comes, the connection is cut, and a client that still sends may miss the answer.
    (serve.folder / "large").write_bytes(b"[" + b"1," * ((32 << 20) + 1000) + b"1]")
    status, _, text = curl(serve, "/score", "--data-binary", f"@{serve.folder / 'large'}")
    assert status == 413 and "64" in json.loads(text)["error"]


def test_unknown_things(serve):
    for path in ("/score?model=nobody", "/v2/models/nobody/infer"):
        status, _, text = curl(serve, path, data=b'{"data":[[1]]}')
        assert status == 404 and "nobody" in json.loads(text)["error"]
    assert curl(serve, "/nowhere")[0] == 404
    status, headers, _ = curl(serve, "/score", "-X", "DELETE")
    assert status == 405 and "post" in headers["allow"]


def test_a_file_that_is_not_onnx(serve):
    put = ("-X", "PUT")
    status, _, text = curl(serve, "/api/v1/models/bad/versions/1", *put, data=b"this is no model")
    assert status == 400 and "ONNX" in json.loads(text)["error"]
    status, _, text = curl(serve, "/api/v1/models/bad/versions/1", *put, data=serve.model[: len(serve.model) // 2])
    assert status == 400 and "ONNX" in json.loads(text)["error"]
    assert str(serve.data) not in text.decode() and ".incoming" not in text.decode()
    assert curl(serve, "/v2/models/bad")[0] == 404
    # The version that serves goes on, and a version's bytes never change.
    status, _, text = curl(serve, "/api/v1/models/digits/versions/1", *put, data=two_by_two_model())
    assert status == 409, text
    assert curl(serve, "/v2/models/digits/ready")[0] == 200
    for name in ("..", "a%2Fb", "%2e%2e"):
        assert curl(serve, f"/api/v1/models/{name}/versions/1", "--path-as-is", *put, data=serve.model)[0] in (400, 404)


def infer(serve, header: bytes, binary: bytes, said: str) -> tuple[int, str]:
    status, _, text = curl(serve, "/v2/models/digits/infer", "-H", f"Inference-Header-Content-Length: {said}", "-H", "Content-Type: application/octet-stream",
                           data=header + binary)
    return status, text.decode(errors="replace")


def header(size: int, shape=(1, 64)) -> bytes:
    return json.dumps({"inputs": [{"name": "pixels", "shape": list(shape), "datatype": "FP32", "parameters": {"binary_data_size": size}}]}).encode()


def test_binary_sizes_that_lie(serve):
    right = header(256)
    assert infer(serve, right, bytes(256), str(len(right)))[0] == 200
    for head, binary, said in [(right, bytes(255), len(right)), (right, bytes(257), len(right)), (right, b"", len(right)), (right, bytes(256), len(right) - 1),
                               (right, bytes(256), 10**6), (right, bytes(256), "x"), (right, bytes(256), -1), (header(2**63), bytes(256), len(header(2**63))),
                               (header(252, (1, 63)), bytes(252), len(header(252, (1, 63)))), (header(256, (2**40, 2**40)), bytes(256), len(header(256, (2**40, 2**40)))),
                               (header(256, (-1, 64)), bytes(256), len(header(256, (-1, 64))))]:
        status, text = infer(serve, head, binary, str(said))
        assert status == 400 and "error" in json.loads(text), (head, said, status, text)
    assert infer(serve, right, bytes(256), str(len(right)))[0] == 200
