"""MLServer's own client side, unmodified: `mlserver infer` over a file of requests, its codecs and types over HTTP, its converters and stub over gRPC."""
import json
import os
import subprocess

import numpy
import onnxruntime
import overlay
import pytest
from serve_support import Serve, digits_model, text_model

SCRIPT = """
import json, sys
import grpc, numpy, requests
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.converters import ModelInferRequestConverter, ModelInferResponseConverter
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse, MetadataServerResponse, RequestOutput

http, grpc_address, folder = sys.argv[1:]
rows = numpy.load(folder + "/rows.npy")
out = {}
request = InferenceRequest(id="m-1", inputs=[NumpyCodec.encode_input("pixels", rows)])
answer = requests.post(f"http://{http}/v2/models/digits/infer", data=request.model_dump_json(), timeout=20)
assert answer.status_code == 200, answer.text
response = InferenceResponse.model_validate_json(answer.text)
out["id"], out["names"] = response.id, [o.name for o in response.outputs]
out["label"] = NumpyCodec.decode_output(response.outputs[0]).tolist()
out["probabilities"] = NumpyCodec.decode_output(response.outputs[1]).tolist()
request.outputs = [RequestOutput(name="label")]
only = requests.post(f"http://{http}/v2/models/digits/versions/1/infer", json=json.loads(request.model_dump_json()), timeout=20)
out["frame"] = PandasCodec.decode_response(InferenceResponse.model_validate_json(only.text)).to_dict("list")
texts = InferenceRequest(inputs=[StringCodec.encode_input("x", ["a", "\\u65e5\\u672c", ""])])
texts.inputs[0].shape = [3]
answer = requests.post(f"http://{http}/v2/models/texts/infer", data=texts.model_dump_json(), timeout=20)
assert answer.status_code == 200, answer.text
out["texts"] = StringCodec.decode_output(InferenceResponse.model_validate_json(answer.text).outputs[0])
out["server"] = MetadataServerResponse.model_validate(requests.get(f"http://{http}/v2", timeout=20).json()).name
out["inputs"] = [i.name for i in MetadataModelResponse.model_validate(requests.get(f"http://{http}/v2/models/digits", timeout=20).json()).inputs]
wrong = InferenceRequest(inputs=[NumpyCodec.encode_input("pixels", rows[:, :3])])
answer = requests.post(f"http://{http}/v2/models/digits/infer", data=wrong.model_dump_json(), timeout=20)
out["wrong"] = [answer.status_code, answer.json()["error"]]
with grpc.insecure_channel(grpc_address) as channel:
    stub = GRPCInferenceServiceStub(channel)
    assert stub.ServerLive(pb.ServerLiveRequest()).live and stub.ModelReady(pb.ModelReadyRequest(name="digits")).ready
    for raw in (False, True):
        message = ModelInferRequestConverter.from_types(request, model_name="digits", use_raw=raw)
        response = ModelInferResponseConverter.to_types(stub.ModelInfer(message))
        out[f"grpc {raw}"] = NumpyCodec.decode_output(response.outputs[0]).tolist()
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    with Serve(folder).running() as running:
        running.model, digits = digits_model(folder)
        running.rows = digits[:9]
        numpy.save(folder / "rows.npy", running.rows)
        assert running.put("digits", 1, running.model)[0] in (200, 201) and running.put("texts", 1, text_model())[0] in (200, 201)
        yield running


def raw(serve) -> list:
    return onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label", "probabilities"], {"pixels": serve.rows})


def test_codecs_types_and_stub(serve):
    out = overlay.run("mlserver", SCRIPT, serve.address, serve.grpc, str(serve.folder))
    label, probabilities = raw(serve)
    assert (out["id"], out["names"], out["server"], out["inputs"]) == ("m-1", ["label", "probabilities"], "holdfast-serve", ["pixels"])
    for what in (out["label"], out["grpc False"], out["grpc True"]):
        assert numpy.ravel(what).tolist() == label.tolist()
    numpy.testing.assert_allclose(numpy.array(out["probabilities"]), probabilities, rtol=0, atol=1e-6)
    assert numpy.ravel(out["frame"]["label"]).tolist() == label.tolist() and out["texts"] == ["a", "日本", ""]
    assert out["wrong"][0] == 400 and "the model wants [-1,64]" in out["wrong"][1]


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_the_batch_command_answers_every_line(serve, tmp_path, binary):
    lines = [{"id": f"row-{i}", "inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": row.tolist()}]} for i, row in enumerate(serve.rows)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [overlay.DEPS / "mlserver/bin/mlserver", "infer", "-u", serve.address, "-m", "digits", "-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl", "-w", "2", "-s", "3"]
    done = subprocess.run(command + (["-b"] if binary else []), capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    answers = {answer["parameters"]["batch_index"]: answer for answer in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert len(answers) == len(lines)
    told = [numpy.ravel(next(o["data"] for o in answers[i]["outputs"] if o["name"] == "label")).tolist() for i in range(len(lines))]
    assert told == [[label] for label in raw(serve)[0].tolist()]
