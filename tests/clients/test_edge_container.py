"""The same module as a container, made by the edge through the Docker Engine API of an unmodified podman."""
import json
import pathlib
import random
import shutil
import subprocess
import sys

import pytest
import python_image
from edge_support import ROOT, ModuleEdge, ModuleHub
from iot_support import wait_until
from registry_support import Podman

pytestmark = pytest.mark.skipif(shutil.which("podman") is None or shutil.which("runc") is None, reason="podman or runc is not installed")
IMAGE = "localhost/upper:1"


class Engine(Podman):
    """podman with its API on a socket."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        self.socket = folder / "api.sock"
        with open(folder / "api.log", "ab") as log:
            self.service = subprocess.Popen(["podman", "system", "service", "--time", "0", f"unix://{self.socket}"], env=self.environment, stderr=log)
        wait_until("socket of the engine", 30, self.socket.exists)

    def import_module(self, folder: pathlib.Path) -> None:
        example = (ROOT / "examples/module/uppercase.py").read_bytes()
        (folder / "root.tar").write_bytes(python_image.build(["azure-iot-device"], {"/app/uppercase.py": example}))
        command = json.dumps([str(pathlib.Path(sys.executable).resolve()), "/app/uppercase.py"])
        self("import", "--change", f"ENV PYTHONPATH={python_image.PACKAGES}", "--change", f"CMD {command}", str(folder / "root.tar"), IMAGE)

    def state(self, name: str) -> dict:
        """Of a container; empty where there is none."""
        text = self("inspect", "--type", "container", name, check=False)
        found = json.loads(text) if text.startswith("[") else []
        return found[0] if found else {}

    def close(self) -> None:
        super().close()
        self.service.terminate()
        self.service.wait(30)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("podman") / "own")
    try:
        engine.import_module(tmp_path_factory.mktemp("image"))
        yield engine
    finally:
        engine.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = ModuleHub(tmp_path_factory.mktemp("hub")).start()
    yield hub
    assert hub.stop() == 0


def container_module(edge: ModuleEdge, image: str = IMAGE, network: str = "host") -> dict:
    # Where the broker listens on a loopback address, the container uses the machine's network.
    options = {"HostConfig": {"NetworkMode": network, "Binds": [f"{edge.camera}:/from:ro", f"{edge.results}:/to"]}}
    return {"type": "docker", "version": "1.0", "status": "running", "restartPolicy": "always", "imagePullPolicy": "never",
            "env": {"FROM": {"value": "/from"}, "TO": {"value": "/to"}},
            "settings": {"image": image, "createOptions": json.dumps(options)}}


@pytest.fixture(scope="module")
def edge(hub, engine, tmp_path_factory):
    edge = ModuleEdge(tmp_path_factory.mktemp("edge"), hub, f"containers: {{socket: {engine.socket}}}").start()
    hub.deploy({"upper": container_module(edge)})
    try:
        wait_until("running container", 60, lambda: hub.module_state().get("runtimeStatus") == "running")
        yield edge
    finally:
        edge.stop()


def through(hub: ModuleHub, edge: ModuleEdge, name: str, text: str) -> None:
    edge.drop(name, text)
    wait_until(f"{name} from the container", 60, lambda: edge.made(name) == text.upper())
    wait_until(f"message about {name}", 60, lambda: any(result["path"] == name for result in hub.results()))


def test_a_file_goes_through_the_container(hub, edge, engine):
    through(hub, edge, "first.txt", "in a box")
    state = engine.state("upper")
    assert state["Config"]["Labels"]["net.azure-devices.edge.owner"] == "Microsoft.Azure.Devices.Edge.Agent"
    assert hub.module_state()["settings"]["imageHash"].removeprefix("sha256:") == state["Image"]


def test_a_killed_container_is_started_again(hub, edge, engine):
    before = hub.module_state()["restartCount"]
    first = engine.state("upper")["State"]["StartedAt"]
    engine("kill", "upper")
    wait_until("restart", 120, lambda: hub.module_state()["restartCount"] == before + 1 and hub.module_state()["runtimeStatus"] == "running")
    assert hub.module_state()["exitCode"] == 137
    assert engine.state("upper")["State"]["StartedAt"] != first
    through(hub, edge, "after-kill.txt", "again")


def test_the_container_outlives_the_edge(hub, edge, engine):
    first = engine.state("upper")["State"]["StartedAt"]
    edge.kill()
    edge.start()
    through(hub, edge, "after-edge.txt", "still here")
    assert engine.state("upper")["State"]["StartedAt"] == first


def test_a_missing_image_is_reported_and_the_present_container_stays(hub, edge, engine):
    hub.deploy({"upper": container_module(edge, "localhost/none:1")})
    wait_until("reported problem", 60, lambda: "localhost/none:1" in hub.module_state().get("statusDescription", ""))
    assert engine.state("upper")["State"]["Running"]
    hub.deploy({"upper": container_module(edge)})
    wait_until("running module", 60, lambda: hub.module_state().get("runtimeStatus") == "running" and hub.module_state()["settings"]["image"] == IMAGE)
    through(hub, edge, "after-none.txt", "well")


def test_a_module_leaves_with_its_deployment(hub, edge, engine):
    hub.deploy({}, {})
    wait_until("removed container", 60, lambda: engine.state("upper") == {})
    assert hub.module_state() == {}


def test_a_container_on_a_network_of_its_own(engine, tmp_path):
    subnet = f"10.{random.randint(100, 250)}.{random.randint(0, 250)}"
    engine("network", "create", "--subnet", f"{subnet}.0/24", "modules")
    # The bridge has its address while a container is on it.
    engine("run", "--detach", "--name", "holder", "--network", "modules", IMAGE, str(pathlib.Path(sys.executable).resolve()), "-c", "import time; time.sleep(1e6)")
    hub = ModuleHub(tmp_path).start()
    edge = ModuleEdge(tmp_path, hub, f"containers: {{socket: {engine.socket}}}", f"{subnet}.1").start()
    try:
        hub.deploy({"upper": container_module(edge, network="modules")})
        through(hub, edge, "bridged.txt", "over the bridge")
        assert "modules" in engine.state("upper")["NetworkSettings"]["Networks"]
    finally:
        assert edge.stop() == 0, edge.logs()
        # With all that is on it: the engine may not be through yet with a container that is being replaced.
        engine("network", "rm", "--force", "--time", "1", "modules")
        assert hub.stop() == 0
