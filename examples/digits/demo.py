"""`make demo`: the whole loop on real images, on this machine, with every figure measured as it happens.

1,797 real handwritten digits. The first 260 land in a local share with an operator's labels; a job learns them, and the
model comes to the edge as an image. The next 520, of other writers, land at 50 a second and are answered at once, worse.
Their labels come later: a better version is learned, compared and deployed by itself, and one that is worse is refused.
Answers and tensors upload themselves to blob storage, where the unmodified Azure client checks every byte. KEEP=1
leaves it running. Nothing is written outside build/demo.
"""
import hashlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time

import closing
from common import BIN, DATA, HERE, WORK, answer_lines, get_json, holdfast, show, started, step, wait_until
from prepare import write_digits

LEARNED, ARRIVING, PER_SECOND = 260, 520, 50

HUB_YAML = """\
# The demo's hub: its jobs have the Python packages of this project's own environment.
data: {data}/hub
listen: {{http: "{hub}", blob: "{blob}", https: "127.0.0.1:0", mqtt: "{mqtt}"}}
jobs: {{python: "{python}"}}
"""
EDGE_YAML = """\
# The demo's edge: pictures to learn from land in `labelled`, those to answer in `camera`; tensors go to `ready`.
device: this-machine
data: {data}/edge
listen: {{http: "{edge}", mqtt: "127.0.0.2:0"}}
accounts:
  - {{name: site1, endpoint: "http://{blob}/site1", key: "file:{data}/edge/secrets/site1.key"}}
shares:
  - {{name: labelled, kind: local, path: labelled, quiet: 200ms}}
  - {{name: camera, kind: local, path: camera, quiet: 200ms}}
  - {{name: ready, kind: cloud, account: site1, container: ready, path: ready}}
  - {{name: answers, kind: cloud, account: site1, container: answers, path: answers}}
transforms:
  - {{name: first, share: labelled, recipe: {recipe}, to: ready, batch: {{rows: 260, after: 2s}}}}
  - {{name: digits, share: camera, recipe: {recipe}, to: ready, batch: {{rows: 256, after: 2s}}}}
answers:
  - {{name: digits, transform: digits, model: digits, to: answers, lines: 1000, after: 10s}}
hub: {{http: "http://{hub}", mqtt: "{mqtt}", ca: "file:{data}/hub/pki/ca.crt", key: "file:{data}/edge/secrets/device.key"}}
serve: {{listen: "{serve}", managed: true}}
"""
class Stream:
    """Drops pictures into the share at a fixed rate and remembers when each was renamed in."""

    def __init__(self, share: pathlib.Path, first: int, count: int, rate: int):
        self.share, self.rate = share, rate
        self.files = write_digits(WORK / "pictures", first, count)
        self.labels = {path.name: label for path, label in self.files}
        self.landed: dict[str, float] = {}

    def run(self) -> None:
        begin = time.monotonic()
        for index, (path, _) in enumerate(self.files):
            time.sleep(max(0.0, begin + index / self.rate - time.monotonic()))
            hidden = self.share / f".{path.name}.part"
            shutil.copyfile(path, hidden)
            hidden.rename(self.share / path.name)
            self.landed[path.name] = time.time()
            if (index + 1) % 130 == 0:
                show("files landed", f"{index + 1} of {len(self.files)}")


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def verify_blobs(service) -> tuple[int, int]:
    """Compares every file of both cloud shares with its blob, by SHA-256, through the unmodified Azure client."""
    checked = size = 0
    for share in ("ready", "answers"):
        container = service.get_container_client(share)
        folder = DATA / "edge/shares" / share
        local = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")}
        remote = {blob.name for blob in container.list_blobs()}
        if set(local) != remote:
            raise SystemExit(f"share {share} and its container differ: {sorted(set(local) ^ remote)}")
        for name, path in local.items():
            content = container.download_blob(name).readall()
            if hashlib.sha256(content).digest() != hashlib.sha256(path.read_bytes()).digest():
                raise SystemExit(f"blob {share}/{name} is not the file")
            checked, size = checked + 1, size + len(content)
    return checked, size


def main() -> None:
    if (DATA / "up.json").exists():
        subprocess.run([BIN / "holdfast", "down", "--data", DATA, "--quiet"], check=False)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)

    step("Start: hub and edge on this machine, one command")
    begin = time.monotonic()
    endpoints = start()
    show("ready after", f"{time.monotonic() - begin:.2f} s")
    show("hub", endpoints["hub"])
    show("blob storage", endpoints["blob"])
    show("edge", endpoints["edge"])
    camera = DATA / "edge/shares/camera"
    service = storage_client(endpoints["blob"])

    step(f"First data: {LEARNED} labelled digits; a model is learned, registered, built into an image and deployed, by itself")
    first = Stream(DATA / "edge/shares/labelled", 0, LEARNED, rate=1000)
    first.run()
    wait_until("tensors in blob storage", 30, lambda: made_ready(endpoints["edge"], "first", LEARNED))
    closing.learn_first(first.files)

    step(f"New data: {ARRIVING} digits of other writers land in the share `camera`, {PER_SECOND} a second; one is broken")
    stream = Stream(camera, LEARNED, ARRIVING, rate=PER_SECOND)
    (camera / "broken.png").write_bytes(stream.files[0][0].read_bytes()[:60])
    stream.run()
    lines = wait_until("answer for every file", 30, lambda: (found := answer_lines()) and len(found) >= ARRIVING and found)
    closing.label_free(endpoints["serve"], lines)
    report_answers(stream, lines)
    reason = wait_until("broken file set aside", 10, lambda: list((camera / ".set-aside").glob("broken.png.reason.json")))
    show("set aside", f"broken.png: {json.loads(reason[0].read_text())['message']}")
    wait_until("tensors in blob storage", 30, lambda: made_ready(endpoints["edge"], "digits", ARRIVING))

    step("Labels: an operator's file comes, and a better version follows by itself, while a client keeps asking")
    second = closing.improve(stream.labels, service, endpoints["serve"])

    step("A bad label file: what learns from it is refused")
    third = closing.refuse(stream.labels)
    closing.accuracy_table([second, third])

    step("Where an answer comes from")
    closing.trace_answer(camera, stream.files[-1][0])

    step("Upload: answers and tensors go to blob storage by themselves")
    uplink = wait_until("empty uplink", 45, lambda: uploaded(endpoints["edge"]))
    show("uploaded", f"{uplink['files']} files, {uplink['bytes']:,} bytes")
    checked, size = verify_blobs(service)
    show("equal by SHA-256", f"{checked} of {checked} blobs, {size:,} bytes, says the unmodified Azure client")

    step("Status")
    print(holdfast("status", "-o", "table"))
    if os.environ.get("KEEP") == "1":
        print(look_around(endpoints))
    else:
        holdfast("down")
        print(f"Done in {time.monotonic() - started:.1f} s. KEEP=1 make demo leaves it running and says how to look at each part.")


def storage_client(blob_url: str):
    from azure.storage.blob import BlobServiceClient
    key = (DATA / "edge/secrets/site1.key").read_text().strip()
    return BlobServiceClient(f"{blob_url}/site1", credential={"account_name": "site1", "account_key": key})


def free_address(host: str) -> str:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def start() -> dict:
    """`holdfast up` on free ports with the demo's hub.yaml and edge.yaml; returns the URLs."""
    at = {name: free_address(host) for name, host in (("hub", "127.0.0.1"), ("blob", "127.0.0.1"), ("mqtt", "127.0.0.1"), ("edge", "127.0.0.2"), ("serve", "127.0.0.1"))}
    DATA.mkdir(parents=True)
    (DATA / "hub.yaml").write_text(HUB_YAML.format(data=DATA, python=sys.executable, **at))
    (DATA / "edge.yaml").write_text(EDGE_YAML.format(data=DATA, recipe=HERE / "digits.yaml", **at))
    holdfast("up", "--detach")
    return {name: f"http://{address}" for name, address in at.items()}


def report_answers(stream: Stream, lines: list[dict]) -> None:
    """Counts, accuracy against the true labels, and latency from the rename to the durable answer."""
    ids = {line["id"] for line in lines}
    if len(ids) != len(lines) or {line["file"] for line in lines} != set(stream.labels):
        raise SystemExit(f"{len(lines)} answers with {len(ids)} ids do not match {len(stream.labels)} files one to one")
    right = sum(line["outputs"]["label"] == stream.labels[line["file"]] for line in lines)
    waits = [1000 * (closing.seconds(line["answered"]) - stream.landed[line["file"]]) for line in lines]
    show("answers", f"{len(lines)}, one for each file; model version {lines[0]['model_version']}")
    show("accuracy", f"{right / len(lines):.3f} ({right} of {len(lines)} right)")
    show("file to answer", f"p50 {statistics.median(waits):.1f} ms, p99 {percentile(waits, 0.99):.1f} ms, durable on disk")


def made_ready(edge: str, name: str, files: int) -> bool:
    """Whether so many files are in tensors, and every tensor and its manifest are uploaded."""
    transforms = get_json(f"{edge}/api/v1/transforms")["transforms"]
    mine = next(one for one in transforms if one["name"] == name)
    if mine["done"] < files or mine["batches"]["waiting"]:
        return False
    ready = next(share for share in get_json(f"{edge}/api/v1/uplink")["shares"] if share["share"] == "ready")
    return ready["pending_files"] == 0 and ready["uploaded_files"] >= 2 * sum(one["batches"]["files"] for one in transforms)


def uploaded(edge: str) -> dict | None:
    """The uplink's totals once nothing is open or pending."""
    if list((DATA / "edge/shares/answers").glob(".answers-*.jsonl.open")):
        return None
    shares = get_json(f"{edge}/api/v1/uplink")["shares"]
    if any(share["pending_files"] for share in shares):
        return None
    return {"files": sum(share["uploaded_files"] for share in shares), "bytes": sum(share["uploaded_bytes"] for share in shares)}


def look_around(endpoints: dict) -> str:
    return f"""It goes on running. To look around:
  put a picture in    cp some.png {DATA}/edge/shares/camera/
  see the answers     tail -f {DATA}/edge/shares/answers/.answers-*.open
  what is there       {BIN}/holdfast status --data {DATA}
  blobs               {BIN}/holdfast storage blob list --account site1 --container answers --data {DATA}
  the model           {BIN}/holdfast model versions digits --data {DATA}
  what triggers did   {BIN}/holdfast trigger log --data {DATA}
  experiments         MLFLOW_TRACKING_URI={endpoints['hub']} MLFLOW_TRACKING_TOKEN=$(cat {DATA}/hub/token) {pathlib.Path(sys.executable).parent}/mlflow experiments search
  in a browser        {endpoints['hub']}
  the edge            curl {endpoints['edge']}/api/v1/status
  stop it             {BIN}/holdfast down --data {DATA}"""


if __name__ == "__main__":
    main()
