"""`holdfast up` with the loop closed: a label file's upload retrains, a comparison lets the version through, the device gets it.

The jobs are a shell's copy of a ready model and a few lines of Python, so that what is left is Holdfast's own doing. The
tests of faults and the benchmark both drive it.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/release/bin"))
DEVICE = "this-machine"
HUB = """\
data: {data}/hub
listen: {{http: "{hub}", blob: "{blob}", https: "127.0.0.1:0", mqtt: "{mqtt}"}}
"""
EDGE = """\
device: this-machine
data: {data}/edge
listen: {{http: "{edge}", mqtt: "127.0.0.2:0"}}
accounts:
  - {{name: site1, endpoint: "http://{blob}/site1", key: "file:{data}/edge/secrets/site1.key"}}
hub: {{http: "http://{way}", mqtt: "{mqtt}", ca: "file:{data}/hub/pki/ca.crt", key: "file:{data}/edge/secrets/device.key"}}
shares:
  - {{name: ready, kind: cloud, account: site1, container: ready, path: ready, quiet: 100ms}}
serve: {{listen: "{serve}", managed: true}}
"""
TRAIN = """\
environment: {}
command: cp ${{inputs.data}}/labels/model.onnx ${{outputs.model}}/
inputs: {data: {type: uri_folder, path: "azureml:bench:${{trigger.version}}"}}
outputs: {model: {type: custom_model, name: bench}}
"""
# Each version says itself how good it is: by its number, so that every one is better than those before it.
COMPARE = """\
environment: {}
command: >-
  python3 -c 'import json, os, urllib.request as u; e = os.environ;
  u.urlopen(u.Request(e["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/log-batch",
  json.dumps({"run_id": e["MLFLOW_RUN_ID"], "metrics": [{"key": k + "/unseen", "value": v, "timestamp": 1, "step": 0}
  for k, v in (("champion", ${{trigger.version}} - 1), ("challenger", ${{trigger.version}}))]}).encode(),
  {"Authorization": "Bearer " + e["MLFLOW_TRACKING_TOKEN"], "Content-Type": "application/json"}))'
"""
RETRAIN = "name: retrain\ntrigger: {type: data, asset: bench, account: site1, container: ready, when: labels/*}\ncreate_job: train.yaml\n"
GATE = f"""\
name: gate
trigger: {{type: model, model: bench}}
create_job: compare.yaml
gate: [{{metric: unseen, min_gain: 0.1}}]
deploy: [{{device: {DEVICE}, module: bench}}]
"""


def free_address(host: str = "127.0.0.1") -> str:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def wait_until(what: str, seconds: float, check, pause: float = 0.005):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # a daemon that is just coming back
            if found := check():
                return found
        time.sleep(pause)
    raise AssertionError(f"after {seconds:.0f} s still no {what}")


def models(folder: pathlib.Path, count: int) -> list[bytes]:
    """So many models that differ in their bytes."""
    from train import export, train
    out = []
    for number in range(count):
        export(train(20 + number), folder / f"model-{number}.onnx")
        out.append((folder / f"model-{number}.onnx").read_bytes())
    return out


class ClosedLoop:
    """`way` may put something between edge and hub: it gets the hub's address and gives the one that the edge shall use."""

    def __init__(self, folder: pathlib.Path, way=lambda address: address):
        self.data = folder / "up"
        self.ready = self.data / "edge/shares/ready"
        self.at = {name: free_address() for name in ("hub", "blob", "mqtt", "edge", "serve")}
        self.data.mkdir(parents=True)
        (self.data / "hub.yaml").write_text(HUB.format(data=self.data, **self.at))
        (self.data / "edge.yaml").write_text(EDGE.format(data=self.data, way=way(self.at["hub"]), **self.at))
        self("up", "--detach")
        self.token = (self.data / "hub/token").read_text().strip()

    def __call__(self, *words: str) -> str:
        done = subprocess.run([BIN / "holdfast", *words, "--data", self.data], text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"holdfast {' '.join(words)}: {done.stderr.strip()}"
        return done.stdout

    def stop(self) -> None:
        subprocess.run([BIN / "holdfast", "down", "--data", self.data], capture_output=True, check=False)

    def api(self, path: str, method: str = "GET", body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.at['hub']}{path}", data, {"Authorization": f"Bearer {self.token}"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def triggers(self) -> None:
        self.api("/api/v1/triggers", "PUT", {"yaml": RETRAIN, "job": TRAIN})
        self.api("/api/v1/triggers", "PUT", {"yaml": GATE, "job": COMPARE})

    def serving(self, model: str) -> int:
        """The version that answers; 0: none."""
        with urllib.request.urlopen(f"http://{self.at['serve']}/api/v1/models", timeout=10) as answer:
            for one in json.load(answer)["models"]:
                if one["name"] == model and one.get("current"):
                    return int(one["version"])
        return 0

    def firing(self, trigger: str, version: int) -> dict | None:
        return next((row for row in self.api(f"/api/v1/firings?trigger={trigger}")["firings"] if row["version"] == str(version)), None)

    def put_labels(self, model: bytes) -> None:
        """New data in the cloud share, whole at once."""
        (self.ready / "labels").mkdir(exist_ok=True)
        (self.ready / ".part").write_bytes(model)
        (self.ready / ".part").rename(self.ready / "labels/model.onnx")

    def pid(self, daemon: str) -> int | None:
        path = self.data / ("edge/serve" if daemon == "serve" else daemon) / "run.json"
        try:
            return json.loads(path.read_text())["pid"]
        except (OSError, ValueError):
            return None

    def kill(self, daemon: str) -> bool:
        pid = self.pid(daemon)
        with contextlib.suppress(OSError):
            if pid and f"holdfast-{daemon}" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
                return True
        return False
