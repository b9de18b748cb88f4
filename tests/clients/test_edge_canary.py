"""A version that a deployment brings as a canary: deployed and watched by the unmodified azure-iot-hub, asked by tritonclient on the device."""
import json
import re
import subprocess

import numpy
import pytest
import tritonclient.http
from azure.iot.hub import IoTHubConfigurationManager, IoTHubRegistryManager
from azure.iot.hub.models import ConfigurationContent
from conftest import BIN
from edge_support import DEVICE, ModuleEdge, ModuleHub
from iot_support import wait_until
from registry_support import Http
from serve_support import picky_scale_model, scale_model


class Site:
    """A hub, and an edge that starts its own inference server."""

    def __init__(self, hub: ModuleHub, edge: ModuleEdge):
        self.hub, self.edge = hub, edge
        self.registry = IoTHubRegistryManager.from_connection_string(hub.connection_string())
        self.configurations = IoTHubConfigurationManager.from_connection_string(hub.connection_string())

    def publish(self, version: int, model: bytes) -> dict:
        api = Http(self.hub.run["http"], (self.hub.data / "token").read_text().strip())
        status, _, body = api.ask("PUT", f"/api/v1/registry/models/m/{version}", model)
        assert status == 201, body
        return json.loads(body)

    def deploy(self, image: dict, canary: dict | None = None) -> None:
        settings = {"image": image["image"], "digest": image["layer"]["digest"]} | ({"canary": canary} if canary is not None else {})
        module = {"type": "model", "version": str(image["version"]), "status": "running", "restartPolicy": "always", "settings": settings}
        content = {"$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {"m": module}}}, "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {}}}}
        self.configurations.apply_configuration_on_edge_device(DEVICE, ConfigurationContent(modules_content=content))

    def state(self) -> tuple[str, str, str]:
        """What the device reports of the module: version, status, and what it says for itself."""
        reported = self.registry.get_module_twin(DEVICE, "$edgeAgent").properties.reported.get("modules", {}).get("m", {})
        return reported.get("version", ""), reported.get("runtimeStatus", ""), reported.get("statusDescription", "")

    def ask(self, count: int) -> list[str]:
        """The versions that answered; each gives its own number times the input."""
        out = []
        with tritonclient.http.InferenceServerClient(json.loads((self.edge.data / "run.json").read_text())["serve"]) as client:
            for number in range(count):
                row = numpy.array([[1.0, number % 3]], numpy.float32)  # the picky one fails where the largest is not 2
                tensor = tritonclient.http.InferInput("x", row.shape, "FP32")
                tensor.set_data_from_numpy(row)
                answer = client.infer("m", [tensor])
                out.append(answer.get_response()["model_version"])
                numpy.testing.assert_array_equal(answer.as_numpy("y"), row * float(out[-1]))
        return out

    def canary(self, *words: str) -> dict:
        serve = json.loads((self.edge.data / "run.json").read_text())["serve"]
        done = subprocess.run([BIN / "holdfast", "model", "canary", *words, "--serve", f"http://{serve}", "-o", "json"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def site(tmp_path, monkeypatch):
    hub = ModuleHub(tmp_path).start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(hub.data / "pki/ca.crt"))
    (tmp_path / "edge").mkdir()
    edge = ModuleEdge(tmp_path / "edge", hub)
    config = tmp_path / "edge/edge.yaml"
    config.write_text(re.sub("serve: .*", 'serve: {listen: "127.0.0.1:0"}', config.read_text()))
    edge.start()
    site = Site(hub, edge)
    try:
        yield site
    finally:
        assert edge.stop() == 0, edge.logs()
        assert hub.stop() == 0


def test_a_deployed_canary_is_tried_and_promoted(site):
    images = [site.publish(version, scale_model(version)) for version in (1, 2)]
    site.deploy(images[0], {"share": 50})  # nothing else answers yet: there is nothing to try it beside
    wait_until("version 1", 60, lambda: site.state() == ("1", "running", "serving " + images[0]["layer"]["digest"]))
    site.deploy(images[1], {"share": 50, "promote_after": 40, "max_latency_ratio": 0})
    wait_until("trial", 60, lambda: site.state() == ("2", "running", "on trial beside version 1"))
    assert site.canary("status", "m")["spec"]["share"] == 50
    assert set(site.ask(20)) == {"1", "2"}
    wait_until("promotion", 60, lambda: site.ask(10) == ["2"] * 10)
    wait_until("report of it", 60, lambda: site.state() == ("2", "running", "serving " + images[1]["layer"]["digest"]))


def test_a_bad_canary_is_rolled_back_and_stays_so(site):
    images = [site.publish(1, scale_model(1)), site.publish(2, picky_scale_model(2)), site.publish(3, scale_model(3))]
    site.deploy(images[0])
    wait_until("version 1", 60, lambda: site.state()[:2] == ("1", "running"))
    site.deploy(images[1], {"share": 50, "min_requests": 10})
    wait_until("trial", 60, lambda: site.state() == ("2", "running", "on trial beside version 1"))
    assert site.ask(100)  # all are answered, whatever the candidate does
    wait_until("report of the roll back", 60, lambda: site.state()[1] == "failed")
    _, _, said = site.state()
    assert said.startswith("refused: ") and said.endswith("; version 1 serves"), said
    serve = json.loads((site.edge.data / "serve/run.json").read_text())["pid"]
    subprocess.run(["kill", "-9", str(serve)], check=True)  # it is remembered there
    wait_until("a server again", 60, lambda: json.loads((site.edge.data / "serve/run.json").read_text())["pid"] != serve)
    assert set(site.ask(20)) == {"1"} and site.state()[1:] == ("failed", said)
    site.edge.kill()
    site.edge.start()
    wait_until("the same report", 60, lambda: site.state()[1:] == ("failed", said))
    site.deploy(images[2], {"share": 0})
    wait_until("what is wrong with it", 60, lambda: "share" in site.state()[2])
    assert set(site.ask(10)) == {"1"}
    site.deploy(images[2])
    wait_until("version 3", 60, lambda: site.state()[:2] == ("3", "running"))
    assert set(site.ask(10)) == {"3"}
