"""An answer names the run of the training that made its model, over every door: unmodified tritonclients and the example's local client."""
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from serve_support import Serve, scale_model

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/local"))
from holdfast_local import LocalClient  # noqa: E402

RUN = 'job 7/"x"&y'


def put(serve: Serve, run: str, version: int = 1) -> None:
    url = f"http://{serve.address}/api/v1/models/m/versions/{version}?run={urllib.parse.quote(run, safe='')}"
    urllib.request.urlopen(urllib.request.Request(url, scale_model(1), method="PUT"), timeout=10).close()


def runs(serve: Serve) -> list:
    """What the answer says over HTTP, gRPC, the local door and /score, and the model's metadata over HTTP and gRPC."""
    def ask(door, client):
        given = door.InferInput("x", [1, 2], "FP32")
        given.set_data_from_numpy(numpy.array([[1, 2]], numpy.float32))
        return client.infer("m", [given]).get_response()
    with triton.InferenceServerClient(serve.address) as http, triton_grpc.InferenceServerClient(serve.grpc) as grpc, \
            LocalClient(str(serve.folder / "local.sock")) as local, \
            urllib.request.urlopen(urllib.request.Request(f"http://{serve.address}/score", b'{"data": [[1, 2]]}'), timeout=10) as scored:
        return [ask(triton, http)["parameters"].get("model_run"), ask(triton_grpc, grpc).parameters["model_run"].string_param or None,
                local.infer("m", [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}])["parameters"].get("model_run"),
                urllib.parse.unquote(scored.headers.get("Holdfast-Model-Run", "")) or None, http.get_model_metadata("m")["parameters"].get("model_run")]


def test_an_answer_names_the_models_run(tmp_path):
    serve = Serve(tmp_path, {"listen": {"local": str(tmp_path / "local.sock")}})
    with serve.running():
        put(serve, RUN)
        put(serve, "another")  # a version that is there stays what it is
        assert runs(serve) == [RUN] * 5
        for wrong in ("a\nb", "Ä", "x" * 513):
            with pytest.raises(urllib.error.HTTPError) as error:
                put(serve, wrong, 2)
            assert error.value.code == 400 and "a run is" in json.load(error.value)["error"]
    with serve.running():
        assert runs(serve) == [RUN] * 5
        put(serve, "", 2)
        assert runs(serve) == [None] * 5
