"""The figures of the closed loop: submit → start, desired → serving, new data → serving, bytes that a retraining moves, idle memory."""
import contextlib
import json
import pathlib
import socket
import sys
import threading
import time
import urllib.request

import rigs
from lines import report

sys.path.insert(0, str(rigs.ROOT / "tests/support"))
from closed_loop import DEVICE, ClosedLoop, models, wait_until  # noqa: E402

ROUNDS = 5


class Wire(threading.Thread):
    """Passes a port's bytes on and counts those that come back: what the edge takes from the hub."""

    def __init__(self, target: str):
        super().__init__(daemon=True)
        self.target = (target.split(":")[0], int(target.split(":")[1]))
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.door.getsockname()[1]}"
        self.fetched = 0

    def run(self) -> None:
        while True:
            near, _ = self.door.accept()
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            threading.Thread(target=self.pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, True), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                if counted:
                    self.fetched += len(part)
                sink.sendall(part)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def bench_jobs(one: ClosedLoop) -> None:
    waits = []
    for round_ in range(ROUNDS):
        for number in range(4):
            name = f"bench-{round_}-{number}"
            begin = time.time()
            one.api("/api/v1/jobs", "POST", {"name": name, "yaml": "environment: {}\ncommand: 'true'\n"})
            job = wait_until("the job's end", 30, lambda name=name: (found := one.api(f"/api/v1/jobs/{name}"))["status"] == "Completed" and found)
            waits.append(1000 * (rigs.seconds_of(job["started"]) - begin))
    report("loop", "job_submit_to_start", "ms", waits, "limit")


def bench_desired(one: ClosedLoop, onnx: list[bytes]) -> None:
    waits = []
    for version, model in enumerate(onnx, 1):
        request = urllib.request.Request(f"http://{one.at['hub']}/api/v1/registry/models/desired/{version}", model, {"Authorization": f"Bearer {one.token}"}, method="PUT")
        with urllib.request.urlopen(request, timeout=120) as answer:
            image = json.load(answer)
        module = {"type": "model", "version": str(version), "status": "running", "restartPolicy": "always", "settings": {"image": image["image"], "digest": image["layer"]["digest"]}}
        begin = time.monotonic()
        one.api(f"/twins/{DEVICE}/modules/%24edgeAgent?api-version=2021-04-12", "PATCH", {"properties": {"desired": {"schemaVersion": "1.1", "modules": {"desired": module}}}})
        wait_until("the version's serving", 30, lambda version=version: one.serving("desired") == version)
        waits.append(time.monotonic() - begin)
    report("loop", "desired_to_serving", "s", waits, "limit")


def script_seconds(one: ClosedLoop, job: str) -> float:
    found = one.api(f"/api/v1/jobs/{job}")
    return rigs.seconds_of(found["ended"]) - rigs.seconds_of(found["started"]) if found["ended"] else 0.0


def bench_retraining(one: ClosedLoop, wire: Wire, onnx: list[bytes]) -> None:
    from azure.storage.blob import BlobServiceClient
    key = (one.data / "edge/secrets/site1.key").read_text().strip()
    service = BlobServiceClient(f"http://{one.at['blob']}/site1", credential={"account_name": "site1", "account_key": key})
    with contextlib.suppress(Exception):
        service.create_container("ready")
    one.triggers()
    rest, moved, layers = [], [], []
    for version, model in enumerate(onnx, 1):
        time.sleep(0.5)  # what the last round reported is on its way still
        before = wire.fetched
        service.get_blob_client("ready", "labels/model.onnx").upload_blob(model, overwrite=True)
        begin = time.time()
        wait_until("the version's serving", 60, lambda version=version: one.serving("bench") == version)
        whole = time.time() - begin
        trace = one.api(f"/api/v1/models/bench/versions/{version}")
        gate = one.firing("gate", version)
        scripts = script_seconds(one, trace["job"]) + (script_seconds(one, gate["job"]) if gate["job"] else 0.0)
        rest.append(whole - scripts)
        moved.append(float(wire.fetched - before))
        layers.append(float(trace["image"]["layer_bytes"]))
    report("loop", "data_to_serving", "s", rest, "limit")
    report("loop", "retrain_bytes", "bytes", moved, "the model layer's size", layers)


def bench_closed_loop(folder: pathlib.Path) -> None:
    wires: list[Wire] = []

    def counted(address: str) -> str:
        wires.append(Wire(address))
        wires[0].start()
        return wires[0].address
    onnx = models(folder, ROUNDS)
    one = ClosedLoop(folder / "closed", counted)
    try:
        bench_jobs(one)
        bench_desired(one, onnx)
        bench_retraining(one, wires[0], onnx)
        time.sleep(5)
        report("loop", "idle_hub_pss_whole", "MiB", [rigs.pss_mib(one.pid("hub"))], "limit")
        report("loop", "idle_edge_pss_whole", "MiB", [rigs.pss_mib(one.pid("edge"))], "limit")
    finally:
        one.stop()
