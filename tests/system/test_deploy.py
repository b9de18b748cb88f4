"""From an ONNX file to an answer on the device: image, registry, deployment in the twin, the model layer, the switch."""
import json
import os
import pathlib
import signal
import sys
import time
import urllib.request

import pytest
from test_cli import Up, until

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/digits"))
DEVICE = "this-machine"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[bytes]:
    """Two versions of the digits model."""
    from train import export, train
    folder = tmp_path_factory.mktemp("models")
    for version, rows in ((1, 260), (2, 780)):
        export(train(rows), folder / f"{version}.onnx")
    return [(folder / f"{version}.onnx").read_bytes() for version in (1, 2)]


@pytest.fixture
def up(tmp_path):
    running = Up(tmp_path / "up")
    yield running
    running("down")


def publish(up: Up, version: int, onnx: bytes) -> dict:
    token = (up.data / "hub/token").read_text().strip()
    request = urllib.request.Request(f"http://{up.run()['http']}/api/v1/registry/models/digits/{version}", onnx, {"Authorization": f"Bearer {token}"}, method="PUT")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def deploy(up: Up, tmp_path: pathlib.Path, image: dict) -> float:
    module = {"type": "model", "version": str(image["version"]), "status": "running", "restartPolicy": "always", "settings": {"image": image["image"], "digest": image["layer"]["digest"]}}
    manifest = {"modulesContent": {"$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {"digits": module}}}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    up("deployment", "apply", DEVICE, "--file", tmp_path / "manifest.json")
    return time.monotonic()


def serving(up: Up) -> int | None:
    """The version that answers now; None while no server is there."""
    try:
        return current_version(up)
    except OSError:
        return None


def current_version(up: Up) -> int | None:
    with urllib.request.urlopen(f"http://{up.run('edge')['serve']}/api/v1/models", timeout=10) as answer:
        models = json.load(answer)["models"]
    return next((int(model["version"]) for model in models if model["name"] == "digits" and model.get("current")), None)


def state(up: Up) -> str:
    return up.json("deployment", "show", DEVICE)[0]["state"]


def connection(up: Up) -> str:
    """Of the device's agent, as the hub has it; "" while the hub is not there."""
    try:
        return up.json("module", "show", DEVICE, "$edgeAgent")["connectionState"]
    except AssertionError:
        return ""


def test_a_deployment_brings_and_switches_models(up, models, tmp_path):
    assert [device["deviceId"] for device in up.json("device", "list")] == [DEVICE]
    images = [publish(up, version, onnx) for version, onnx in ((1, models[0]), (2, models[1]))]
    deploy(up, tmp_path, images[0])
    until(lambda: serving(up) == 1, 60)
    until(lambda: state(up) == "running", 30)
    deploy(up, tmp_path, images[1])
    until(lambda: serving(up) == 2, 60)
    twin = up.json("twin", "show", DEVICE, "--module", "$edgeAgent")["properties"]["reported"]
    assert twin["lastDesiredStatus"]["code"] == 200


def test_a_bad_image_is_reported_and_the_present_one_stays(up, models, tmp_path):
    image = publish(up, 1, models[0])
    deploy(up, tmp_path, image)
    until(lambda: serving(up) == 1, 60)
    deploy(up, tmp_path, {"version": "1", "image": "models/digits@sha256:" + "0" * 64, "layer": {"digest": "sha256:" + "0" * 64}})
    until(lambda: up.json("deployment", "show", DEVICE)[0]["description"], 30)
    assert serving(up) == 1
    deploy(up, tmp_path, image)
    until(lambda: state(up) == "running", 60)


def test_the_hub_is_away_and_the_edge_is_killed(up, models, tmp_path):
    image = publish(up, 1, models[0])
    deploy(up, tmp_path, image)
    until(lambda: serving(up) == 1, 60)
    second = publish(up, 2, models[1])
    os.kill(up.run("edge")["pid"], signal.SIGKILL)  # `up` starts it again; what was desired is on its disk
    deploy(up, tmp_path, second)
    until(lambda: serving(up) == 2, 60)
    os.kill(up.run()["pid"], signal.SIGKILL)
    assert serving(up) == 2  # the hub's end is nothing to the device
    until(lambda: connection(up) == "Connected", 60)
