"""`make demo`: the edge's main job on real images, on this machine, with every figure measured as it happens.

1,797 real handwritten digits. A model learns the first 260; the next 520 land in a local share at 50 a second, are
made model-ready, answered at once, and answers and tensors upload themselves to blob storage, where the unmodified
Azure client checks every byte. KEEP=1 leaves it running. Nothing is written outside build/demo.
"""
import calendar
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
import urllib.request

from prepare import write_digits
from train import export, train

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/release/bin"))
WORK = pathlib.Path(os.environ.get("DEMO_DIR", ROOT / "build/demo"))
DATA = WORK / "data"
LEARNED, ARRIVING, PER_SECOND = 260, 520, 50

EDGE_YAML = """\
# The demo's edge: pictures land in `camera`, tensors go to `ready`, answers to `answers`.
device: demo-edge
data: {data}/edge
listen: {{http: "{edge}"}}
accounts:
  - {{name: site1, endpoint: "http://{blob}/site1", key: "file:{data}/edge/secrets/site1.key"}}
shares:
  - {{name: camera, kind: local, path: camera, quiet: 200ms}}
  - {{name: ready, kind: cloud, account: site1, container: ready, path: ready}}
  - {{name: answers, kind: cloud, account: site1, container: answers, path: answers}}
transforms:
  - {{name: digits, share: camera, recipe: {recipe}, to: ready, batch: {{rows: 256, after: 5s}}}}
answers:
  - {{name: digits, transform: digits, model: digits, to: answers, lines: 1000, after: 10s}}
serve: {{listen: "{serve}", managed: true}}
"""
started = time.monotonic()


def step(text: str) -> None:
    print(f"\n[{time.monotonic() - started:5.1f} s] {text}", flush=True)


def show(label: str, value: str) -> None:
    print(f"    {label:<24} {value}", flush=True)


def holdfast(*words: str) -> str:
    """Runs one CLI verb and returns what it printed."""
    done = subprocess.run([BIN / "holdfast", *words, "--data", DATA], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"holdfast {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def get_json(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_until(what: str, seconds: float, check):
    """Asks `check` until it gives something; says what was missing when time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"after {seconds:.0f} s still no {what}; the logs are in {DATA / 'log'}")


class Stream:
    """Drops pictures into the share at a fixed rate and remembers when each was renamed in."""

    def __init__(self, share: pathlib.Path, source: pathlib.Path):
        self.share = share
        self.files = write_digits(source, LEARNED, ARRIVING)
        self.labels = {path.name: label for path, label in self.files}
        self.landed: dict[str, float] = {}

    def run(self) -> None:
        begin = time.monotonic()
        for index, (path, _) in enumerate(self.files):
            time.sleep(max(0.0, begin + index / PER_SECOND - time.monotonic()))
            hidden = self.share / f".{path.name}.part"
            shutil.copyfile(path, hidden)
            hidden.rename(self.share / path.name)
            self.landed[path.name] = time.time()
            if (index + 1) % 130 == 0:
                show("files landed", f"{index + 1} of {len(self.files)}")


def answer_lines(folder: pathlib.Path) -> list[dict]:
    """Every whole line of the closed answer files and of the one that is still open."""
    lines = []
    for path in [*folder.glob("answers-*.jsonl"), *folder.glob(".answers-*.jsonl.open")]:
        try:
            text = path.read_text()
        except FileNotFoundError:  # it has just been closed under its other name, and is read next time
            continue
        lines += [json.loads(line) for line in text.split("\n")[:-1]]
    return lines


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def seconds_of(stamp: str) -> float:
    whole, fraction = stamp.removesuffix("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + fraction)


def verify_blobs(blob_url: str, key: str) -> tuple[int, int]:
    """Compares every file of both cloud shares with its blob, by SHA-256, through the unmodified Azure client."""
    from azure.storage.blob import BlobServiceClient
    service = BlobServiceClient(f"{blob_url}/site1", credential={"account_name": "site1", "account_key": key})
    checked = size = 0
    for share in ("ready", "answers"):
        container = service.get_container_client(share)
        local = {p.name: p for p in (DATA / "edge/shares" / share).iterdir() if p.is_file() and not p.name.startswith(".")}
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

    step(f"Train: a scikit-learn MLP learns the first {LEARNED} of 1,797 handwritten digits")
    model = train(LEARNED)
    export(model, WORK / "digits.onnx")
    show("model", f"{(WORK / 'digits.onnx').stat().st_size:,} bytes of ONNX")

    step("Start: hub and edge on this machine, one command")
    begin = time.monotonic()
    endpoints = start()
    show("ready after", f"{time.monotonic() - begin:.2f} s")
    show("hub", endpoints["hub"])
    show("blob storage", endpoints["blob"])
    show("edge", endpoints["edge"])

    step("Model: to the inference server of the edge")
    created = json.loads(holdfast("model", "create", "digits", "--file", str(WORK / "digits.onnx"), "-o", "json"))
    show("digits version", f"{created['version']}  {created['digest'][:19]}…")

    camera, answers = DATA / "edge/shares/camera", DATA / "edge/shares/answers"
    step(f"Files: {ARRIVING} digits that the model has not seen land in the share `camera`, {PER_SECOND} a second; one is broken")
    stream = Stream(camera, WORK / "pictures")
    (camera / "broken.png").write_bytes((WORK / "pictures" / stream.files[0][0].name).read_bytes()[:60])
    stream.run()
    lines = wait_until("answer for every file", 30, lambda: (found := answer_lines(answers)) and len(found) >= ARRIVING and found)
    report_answers(stream, lines)
    reason = wait_until("broken file set aside", 10, lambda: list((camera / ".set-aside").glob("broken.png.reason.json")))
    show("set aside", f"broken.png: {json.loads(reason[0].read_text())['message']}")

    step("Upload: answers and tensors go to blob storage by themselves")
    uplink = wait_until("empty uplink", 45, lambda: uploaded(endpoints["edge"], answers))
    show("uploaded", f"{uplink['files']} files, {uplink['bytes']:,} bytes")

    step("Verify: the unmodified Azure client walks the storage account")
    checked, size = verify_blobs(endpoints["blob"], (DATA / "edge/secrets/site1.key").read_text().strip())
    show("equal by SHA-256", f"{checked} of {checked} blobs, {size:,} bytes")

    step("Status")
    print(holdfast("status", "-o", "table"))
    if os.environ.get("KEEP") == "1":
        print(look_around(endpoints))
    else:
        holdfast("down")
        print(f"Done in {time.monotonic() - started:.1f} s. KEEP=1 make demo leaves it running and says how to look at each part.")


def free_address(host: str) -> str:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def start() -> dict:
    """`holdfast up` on free ports with the demo's edge.yaml; returns the URLs."""
    at = {"hub": free_address("127.0.0.1"), "blob": free_address("127.0.0.1"), "edge": free_address("127.0.0.2"), "serve": free_address("127.0.0.1")}
    DATA.mkdir(parents=True)
    (DATA / "edge.yaml").write_text(EDGE_YAML.format(data=DATA, recipe=HERE / "digits.yaml", **at))
    holdfast("up", "--detach", "--hub-http", at["hub"], "--hub-blob", at["blob"], "--hub-https", "127.0.0.1:0", "--hub-mqtt", "127.0.0.1:0")
    return {name: f"http://{address}" for name, address in at.items()}


def report_answers(stream: Stream, lines: list[dict]) -> None:
    """Counts, accuracy against the true labels, and latency from the rename to the durable answer."""
    ids = {line["id"] for line in lines}
    if len(ids) != len(lines) or {line["file"] for line in lines} != set(stream.labels):
        raise SystemExit(f"{len(lines)} answers with {len(ids)} ids do not match {len(stream.labels)} files one to one")
    right = sum(line["outputs"]["label"] == stream.labels[line["file"]] for line in lines)
    waits = [1000 * (seconds_of(line["answered"]) - stream.landed[line["file"]]) for line in lines]
    show("answers", f"{len(lines)}, one for each file; model version {lines[0]['model_version']}")
    show("accuracy", f"{right / len(lines):.3f} ({right} of {len(lines)} right)")
    show("file to answer", f"p50 {statistics.median(waits):.1f} ms, p99 {percentile(waits, 0.99):.1f} ms, durable on disk")


def uploaded(edge: str, answers: pathlib.Path) -> dict | None:
    """The uplink's totals once nothing is open or pending."""
    if list(answers.glob(".answers-*.jsonl.open")):
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
  the model           curl {endpoints['serve']}/v2/models/digits
  the edge            curl {endpoints['edge']}/api/v1/status
  stop it             {BIN}/holdfast down --data {DATA}"""


if __name__ == "__main__":
    main()
