"""A hub and an edge that belongs to it, with the doors where the device SDKs look for them: 8883 on addresses of their own."""
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys

from conftest import BIN
from iot_support import IotHub, wait_until

ROOT = pathlib.Path(__file__).parents[2]
DEVICE = "press-07"
ROUTES = {"files": 'FROM /messages/modules/shares/outputs/camera INTO BrokeredEndpoint("/modules/upper/inputs/files")',
          "results": "FROM /messages/modules/upper/outputs/results INTO $upstream"}


class ModuleHub(IotHub):
    """Its addresses stay the same over a restart, as an edge needs it."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        with socket.socket() as probe:  # the storage SDK takes no other address for path style than 127.0.0.1
            probe.bind(("127.0.0.1", 0))
            self.blob_listen = f"127.0.0.1:{probe.getsockname()[1]}"

    def deploy(self, modules: dict, routes: dict | None = None) -> None:
        agent = {"schemaVersion": "1.1", "runtime": {"type": "docker", "settings": {}}, "modules": modules}
        hub = {"schemaVersion": "1.1", "routes": routes if routes is not None else ROUTES, "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}}
        content = {"modulesContent": {"$edgeAgent": {"properties.desired": agent}, "$edgeHub": {"properties.desired": hub}}}
        status, answer = self.api("POST", f"/devices/{DEVICE}/applyConfigurationContent", content)
        assert status == 204, answer

    def results(self) -> list[dict]:
        """What the module `upper` sent upstream."""
        return [json.loads(each["body"]) for each in self.telemetry(DEVICE) if each.get("moduleId") == "upper"]

    def module_state(self, module: str = "upper") -> dict:
        return self.reported(f"{DEVICE}/$edgeAgent").get("modules", {}).get(module, {})


class ModuleEdge:
    """An edge with a local share `camera` and a cloud share `ready`; `extra` is more of its edge.yaml."""

    def __init__(self, folder: pathlib.Path, hub: ModuleHub, extra: str = "processes: true", host: str = ""):
        self.folder, self.hub, self.data, self.process = folder, hub, folder / "edge", None
        self.host = host or f"127.{random.randint(64, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"
        account = hub.create_account()
        made = hub.create(DEVICE, capabilities={"iotEdge": True})
        (folder / "device.key").write_text(made["authentication"]["symmetricKey"]["primaryKey"])
        (folder / "account.key").write_text(account.key)
        self.account = account
        account.client().get_container_client("ready").create_container()
        (folder / "edge.yaml").write_text(f"""device: {DEVICE}
data: {self.data}
listen: {{http: "127.0.0.1:0", mqtt: "{self.host}:8883"}}
hub: {{http: "https://{hub.service_host}", mqtt: "{hub.host}:8883", ca: "file:{hub.data}/pki/ca.crt", key: "file:device.key"}}
accounts:
  - {{name: {account.name}, endpoint: "{account.endpoint}", key: "file:account.key"}}
shares:
  - {{name: camera, kind: local, quiet: 50ms}}
  - {{name: ready, kind: cloud, account: {account.name}, quiet: 50ms}}
serve: {{listen: "127.0.0.1:9", managed: false}}
{extra}
""")

    def start(self) -> "ModuleEdge":
        with open(self.folder / "edge.log", "ab") as log:
            self.process = subprocess.Popen([BIN / "holdfast-edge", "--config", self.folder / "edge.yaml"], stderr=log)
        wait_until("ready edge", 30, self.ready)
        return self

    def ready(self) -> bool:
        assert self.process.poll() is None, (self.folder / "edge.log").read_text()
        try:
            return json.loads((self.data / "run.json").read_text())["pid"] == self.process.pid
        except (FileNotFoundError, json.JSONDecodeError):
            return False

    @property
    def camera(self) -> pathlib.Path:
        return self.data / "shares/camera"

    @property
    def results(self) -> pathlib.Path:
        return self.data / "shares/ready"

    def drop(self, name: str, text: str) -> None:
        hidden = self.camera / f".{name}.part"
        hidden.write_text(text)
        hidden.rename(self.camera / name)

    def made(self, name: str) -> str | None:
        try:
            return (self.results / name).read_text()
        except FileNotFoundError:
            return None

    def process_module(self) -> dict:
        """The example as a process of this machine."""
        return {"type": "process", "version": "1.0", "status": "running", "restartPolicy": "always",
                "env": {"FROM": {"value": str(self.camera)}, "TO": {"value": str(self.results)}},
                "settings": {"command": [sys.executable, str(ROOT / "examples/module/uppercase.py")]}}

    def logs(self) -> str:
        return "".join(path.read_text() for path in [self.folder / "edge.log", *self.data.glob("modules/*.log")] if path.exists())[-8000:]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)
