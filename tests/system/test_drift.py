"""From a shifted camera to a new model: the server under the edge raises an event, the uplink carries it, the hub's trigger trains."""
import json
import urllib.request

import numpy
import onnx
from onnx import TensorProto, helper
from test_cli import Up, until


def model(folder) -> bytes:
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, folder / "model.onnx")
    return folder / "model.onnx"


def test_a_shift_on_the_device_trains_in_the_hub(tmp_path):
    up = Up(tmp_path / "data")
    up("down")
    edge = up.data / "edge.yaml"
    edge.write_text(edge.read_text().replace("managed: true", "managed: true, config: serve.yaml"))
    (up.data / "serve.yaml").write_text("drift: {window: 200, directory: edge/shares/ready/drift}\n")
    up.start()
    try:
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

        def send(rows: numpy.ndarray) -> None:
            body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": list(rows.shape), "data": rows.flatten().tolist()}]}
            request = urllib.request.Request(f"http://{up.run('edge')['serve']}/v2/models/pump/infer", json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 200

        send(draw.normal(size=(200, 2)))
        until(lambda: up.json("model", "drift", "pump")["state"] == "calm")
        assert up.json("trigger", "log", "again") == []
        send(draw.normal(loc=2, size=(200, 2)))
        until(lambda: [one["state"] for one in up.json("trigger", "log", "again")] == ["completed"], 60)
        event = up.json("model", "drift", "pump")["event"]
        blob, = [one["name"] for one in up.json("storage", "blob", "list", "--account", "site1", "--container", "ready") if one["name"].startswith("drift/")]
        assert blob.startswith("drift/drift-pump-") and event[:8] in blob
        assert up.json("model", "versions", "pump")[0]["version"] == "1", "the hub has learned a version of its own"
    finally:
        up("down")
