"""The registry and the images of models, driven by unmodified skopeo, podman and tritonclient."""
import json
import pathlib
import random
import shutil
import subprocess
import sys
import time

import numpy
import onnxruntime
import pytest
import tritonclient.grpc
import tritonclient.http
from conftest import Hub
from process_support import free_ports
from registry_support import MANIFEST, Http, Image, Podman, layer, sha256

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/digits"))
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
needs_podman = pytest.mark.skipif(shutil.which("podman") is None or shutil.which("runc") is None, reason="podman or runc is not installed")


@pytest.fixture(scope="module")
def api(hub) -> Http:
    return Http(hub.run["http"], (hub.data / "token").read_text().strip())


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    podman = Podman(tmp_path_factory.mktemp("podman") / "own")
    yield podman
    podman.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> bytes:
    from train import export, train

    path = tmp_path_factory.mktemp("model") / "model.onnx"
    export(train(260), path)
    return path.read_bytes()


def skopeo(api: Http, verb: str, *words: str, token: str | None = None, check: bool = True) -> str:
    side = {"inspect": "", "list-tags": "", "delete": ""}.get(verb)
    flags = []
    for prefix in [side] if side is not None else ["src-", "dest-"]:
        flags += [f"--{prefix}tls-verify=false"]
    if side is not None:
        flags += ["--creds", f"anyone:{token or api.token}"]
    else:
        flags += [f"--{'dest' if words[1].startswith('docker') else 'src'}-creds", f"anyone:{token or api.token}"]
    done = subprocess.run(["skopeo", verb, *flags, *words], capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout if check else done.stderr


def image(seed: str, size: int = 300_000) -> Image:
    return Image([layer({"base": b"shared by all" * 1000}), layer({"file": random.Random(seed).randbytes(size)})])


@needs_skopeo
def test_skopeo_copies_in_and_out_byte_for_byte(api, tmp_path):
    made = image("round trip ")
    skopeo(api, "copy", made.write(tmp_path / "in", "v1"), f"docker://{api.address}/sk/round:v1")
    seen = json.loads(skopeo(api, "inspect", f"docker://{api.address}/sk/round:v1"))
    assert seen["Digest"] == made.digest
    assert seen["RepoTags"] == ["v1"]
    skopeo(api, "copy", f"docker://{api.address}/sk/round:v1", f"oci:{tmp_path}/out:v1")
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert index["manifests"][0]["digest"] == made.digest
    for digest, data in made.blobs.items():
        assert (tmp_path / "out/blobs/sha256" / digest.split(":")[1]).read_bytes() == data


@needs_skopeo
def test_skopeo_lists_and_deletes(api, tmp_path):
    source = image("tags ").write(tmp_path / "in", "x")
    for tag in ("b", "a", "c"):
        skopeo(api, "copy", source, f"docker://{api.address}/sk/tags:{tag}")
    assert json.loads(skopeo(api, "list-tags", f"docker://{api.address}/sk/tags"))["Tags"] == ["a", "b", "c"]
    skopeo(api, "delete", f"docker://{api.address}/sk/tags:a")  # skopeo deletes the digest, and so every tag of it
    assert "manifest unknown" in skopeo(api, "inspect", f"docker://{api.address}/sk/tags:b", check=False).lower()


@needs_skopeo
def test_a_wrong_token_and_wrong_bytes_are_refused(api, tmp_path):
    made = image("refused ")
    source = made.write(tmp_path / "in", "x")
    assert "unauthorized" in skopeo(api, "copy", source, f"docker://{api.address}/sk/no:1", token="none", check=False).lower()
    broken = list(made.blobs)[1]  # the layer that no other image has
    (tmp_path / "in/blobs/sha256" / broken.split(":")[1]).write_bytes(made.blobs[broken][:-1] + b"x")
    assert skopeo(api, "copy", source, f"docker://{api.address}/sk/no:1", check=False)
    assert api.ask("GET", "/v2/sk/no/manifests/1")[0] == 404
    assert api.ask("HEAD", f"/v2/sk/no/blobs/{broken}")[0] == 404


def test_without_a_token_the_challenge_is_basic(api):
    status, headers, body = Http(api.address, "").ask("GET", "/v2/", headers={"Authorization": ""})
    assert status == 401
    assert headers["WWW-Authenticate"] == 'Basic realm="holdfast"'
    assert json.loads(body)["errors"][0]["code"] == "UNAUTHORIZED"


def test_large_bodies_only_where_they_belong(api):
    # Announced alone: the answer comes before the body would.
    status, _, body = api.ask("POST", "/api/v1/storage/accounts", headers={"Content-Length": str(2 << 20)})
    assert status == 413 and "error" in json.loads(body)
    status, _, body = api.ask("PUT", "/v2/sk/large/manifests/1", headers={"Content-Length": str(1 << 40)})
    assert status == 413 and json.loads(body)["errors"][0]["code"] == "SIZE_INVALID"
    data = b"y" * (3 << 20)
    status, _, body = api.ask("POST", f"/v2/sk/large/blobs/uploads/?digest={sha256(data)}", data)
    assert status == 201, body
    assert api.ask("GET", f"/v2/sk/large/blobs/{sha256(data)}", headers={"Range": "bytes=5-9"})[2] == data[5:10]


@needs_podman
def test_podman_pushes_pulls_and_runs(api, podman, tmp_path):
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox-static is not installed")
    made = Image([layer({"busybox": pathlib.Path(busybox).read_bytes()})], ["/busybox", "echo", "it runs"])
    name = f"{api.address}/pod/box"
    podman("pull", "--quiet", made.write(tmp_path / "in", "1"))
    loaded = podman("images", "--quiet", "--no-trunc").splitlines()[0]
    podman("push", "--quiet", "--tls-verify=false", "--creds", f"me:{api.token}", loaded, f"{name}:1")
    podman("rmi", "--force", "--all")
    podman("pull", "--quiet", "--tls-verify=false", "--creds", f"me:{api.token}", f"{name}:1")
    assert podman("run", "--rm", f"{name}:1") == "it runs"


def publish(api: Http, name: str, version: int, model: bytes, query: str = "") -> tuple[int, dict]:
    status, _, body = api.ask("PUT", f"/api/v1/registry/models/{name}/{version}{query}", model)
    return status, json.loads(body)


@needs_skopeo
def test_a_model_image_says_where_it_comes_from_and_moves_only_its_layer(api, model):
    status, first = publish(api, "traced", 1, model, "?run=run-7&data=digits:3")
    assert status == 201, first
    status, second = publish(api, "traced", 2, model, "?run=run-8&data=digits:4")
    assert status == 201 and second["pushed"] == second["layer"]["size"] < first["pushed"]
    status, again = publish(api, "traced", 2, model)
    assert status == 200 and again["digest"] == second["digest"]
    status, refused = publish(api, "traced", 2, model + b"x")
    assert status == 409 and refused["error"]["code"] == "version_exists"
    seen = json.loads(skopeo(api, "inspect", f"docker://{api.address}/models/traced:latest"))
    assert sorted(seen["RepoTags"]) == ["1", "2", "latest"]
    assert seen["Digest"] == second["digest"]
    assert seen["Labels"]["dev.holdfast.run"] == "run-8"
    assert seen["Labels"]["dev.holdfast.data"] == "digits:4"
    assert seen["Labels"]["dev.holdfast.digest"] == sha256(model) == second["onnx"]
    assert seen["Layers"][1] == second["layer"]["digest"]
    other = json.loads(skopeo(api, "inspect", f"docker://{api.address}/models/traced:1"))
    assert other["Layers"][0] == seen["Layers"][0]


@needs_podman
def test_the_model_image_answers_under_podman(api, podman, model):
    status, made = publish(api, "served", 1, model, "?run=run-9")
    assert status in (200, 201), made
    port, grpc = free_ports(2)
    name = f"{api.address}/models/served@{made['digest']}"
    podman("pull", "--quiet", "--tls-verify=false", "--creds", f"me:{api.token}", name)
    box = podman("run", "--detach", "--read-only", "--cap-drop=all", "--publish", f"127.0.0.1:{port}:8000",
                 "--publish", f"127.0.0.1:{grpc}:8001", name)
    try:
        client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{port}")
        deadline = time.monotonic() + 20
        while True:
            try:
                if client.is_model_ready("served"):
                    break
            except OSError:
                pass
            assert time.monotonic() < deadline, podman("logs", box)
            time.sleep(0.05)
        rows = numpy.random.default_rng(1).random((5, 64), numpy.float32)
        wanted = tritonclient.http.InferInput("pixels", rows.shape, "FP32")
        wanted.set_data_from_numpy(rows)
        answer = client.infer("served", [wanted])
        expected = onnxruntime.InferenceSession(model).run(None, {"pixels": rows})
        assert (answer.as_numpy("label") == expected[0]).all()
        numpy.testing.assert_allclose(answer.as_numpy("probabilities"), expected[1], rtol=1e-4, atol=1e-6)
        assert client.get_model_metadata("served")["parameters"] == {"model_digest": sha256(model), "model_run": "run-9"}
        assert answer.get_response()["parameters"]["model_run"] == "run-9"
        wanted = tritonclient.grpc.InferInput("pixels", rows.shape, "FP32")
        wanted.set_data_from_numpy(rows)
        with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{grpc}") as other:
            assert (other.infer("served", [wanted]).as_numpy("probabilities") == answer.as_numpy("probabilities")).all()
        assert "holdfast" in podman("top", box, "user")
    finally:
        podman("rm", "--force", "--time", "1", box)


def test_a_hub_that_is_told_to_stop_does_not_finish_packing_first(tmp_path):
    hub = Hub(tmp_path).start()
    layers = hub.data / "images/runtime"
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size for path in layers.glob(".layer-*")):  # the layer that all images of models share
        assert time.monotonic() < deadline, "the packing has not begun"
        time.sleep(0.005)
    assert hub.stop() == 0
    assert list(layers.iterdir()) == []
    log = (tmp_path / "hub.log").read_text()
    assert "can not be built" not in log


def test_an_image_of_missing_layers_is_the_protocols_error(api):
    made = image("missing ")
    status, _, body = api.ask("PUT", "/v2/sk/missing/manifests/1", made.manifest, {"Content-Type": MANIFEST})
    assert status == 404
    assert json.loads(body)["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
