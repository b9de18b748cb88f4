"""From a shifted camera to a new model: the server under the edge raises an event, the uplink carries it, the hub's trigger trains.
The profile that a job has made of its data travels with its model to the device."""
import hashlib
import json
import urllib.request

import numpy
import onnx
from onnx import TensorProto, helper
import pytest
from test_cli import BIN, Up, until
from test_deploy import DEVICE


def model(folder) -> bytes:
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.fixture
def up(tmp_path):
    """Its server watches windows of 200 rows, and puts events into the cloud share."""
    running = Up(tmp_path / "data")
    running("down")
    edge = running.data / "edge.yaml"
    edge.write_text(edge.read_text().replace("managed: true", "managed: true, config: serve.yaml"))
    (running.data / "serve.yaml").write_text("drift: {window: 200, directory: edge/shares/ready/drift}\n")
    running.start()
    yield running
    running("down")


def send(up: Up, rows: numpy.ndarray) -> None:
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": list(rows.shape), "data": rows.flatten().tolist()}]}
    request = urllib.request.Request(f"http://{up.run('edge')['serve']}/v2/models/pump/infer", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def events(up: Up) -> list[str]:
    """The names of their blobs."""
    return [one["name"] for one in up.json("storage", "blob", "list", "--account", "site1", "--container", "ready") if one["name"].startswith("drift/")]


def state(up: Up) -> str:
    """Of the model beside its profile; "" while nobody serves it."""
    try:
        return up.json("model", "drift", "pump")["state"]
    except AssertionError:
        return ""


def test_a_shift_on_the_device_trains_in_the_hub(up, tmp_path):
    draw = numpy.random.default_rng(2)
    up("model", "create", "pump", "--file", model(tmp_path))
    numpy.savez(tmp_path / "train.npz", x=draw.normal(size=(1000, 2)).astype(numpy.float32))
    assert json.loads(up("model", "profile", "pump", "--samples", tmp_path / "train.npz", "-o", "json").stdout)["applied"]
    (tmp_path / "train.yaml").write_text("type: command\nenvironment: {}\ncommand: cp ${{inputs.data}}/model.onnx ${{outputs.model}}/\n"
                                         'inputs: {data: {type: uri_folder, path: "azureml:pump:${{trigger.version}}"}}\n'
                                         "outputs: {model: {type: custom_model, name: pump}}\n")
    (tmp_path / "trigger.yaml").write_text("name: again\ntrigger: {type: drift, model: pump, asset: pump, account: site1, container: ready, prefix: data/}\n"
                                           "create_job: train.yaml\n")
    up("trigger", "create", "--file", tmp_path / "trigger.yaml")
    assert up.json("trigger", "list")[0]["type"] == "drift"
    up("storage", "blob", "upload", "--account", "site1", "--container", "ready", "--name", "data/model.onnx", tmp_path / "model.onnx", "--yes")
    send(up, draw.normal(size=(200, 2)))
    until(lambda: state(up) == "calm")
    assert up.json("trigger", "log", "again") == []
    send(up, draw.normal(loc=2, size=(200, 2)))
    until(lambda: [one["state"] for one in up.json("trigger", "log", "again")] == ["completed"], 60)
    event = up.json("model", "drift", "pump")["event"]
    blob, = events(up)
    assert blob.startswith("drift/drift-pump-") and event[:8] in blob
    assert up.json("model", "versions", "pump")[0]["version"] == "1", "the hub has learned a version of its own"


def test_a_profile_made_at_training_travels_with_the_model(up, tmp_path):
    draw = numpy.random.default_rng(3)
    model(tmp_path)
    numpy.savez(tmp_path / "train.npz", x=draw.normal(size=(1000, 2)).astype(numpy.float32))
    (tmp_path / "train.yaml").write_text(
        "type: command\nenvironment: {}\ncode: .\ncommand: >-\n  cp model.onnx ${{outputs.model}}/ &&\n"
        f"  {BIN / 'holdfast'} model profile ${{{{outputs.model}}}}/model.onnx --samples train.npz --file ${{{{outputs.model}}}}/profile.json\n"
        "outputs: {model: {type: custom_model, name: pump}}\n")
    up("job", "create", "--file", tmp_path / "train.yaml", "--stream")
    image = until(lambda: up.json("model", "show", "pump", "--version", "latest")["image"], 60)
    module = {"type": "model", "version": "1", "status": "running", "restartPolicy": "always", "settings": {"image": image["reference"], "digest": image["layer"]}}
    manifest = {"modulesContent": {"$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {"pump": module}}}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    up("deployment", "apply", DEVICE, "--file", tmp_path / "manifest.json")
    until(lambda: state(up) == "waiting", 60)
    kept = up.data / "edge/models/pump/1/profile.json"
    assert up.json("model", "drift", "pump")["profile"]["digest"] == f"sha256:{hashlib.sha256(kept.read_bytes()).hexdigest()}"
    send(up, draw.normal(size=(200, 2)))
    until(lambda: state(up) == "calm")
    send(up, draw.normal(loc=2, size=(200, 2)))
    blob, = until(lambda: events(up), 60)
    up("storage", "blob", "download", blob, "--account", "site1", "--container", "ready", "--file", tmp_path / "event.jsonl")
    event = json.loads((tmp_path / "event.jsonl").read_text())
    assert event["data"]["device"] == DEVICE and event["source"] == f"/devices/{DEVICE}/models/pump/versions/1"
