"""The digits loop under faults: starts it, feeds it, kills its daemons, and judges from outside what was lost or doubled."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter

from azure.core.exceptions import AzureError

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/release/bin"))
sys.path.insert(0, str(ROOT / "examples/digits"))

EDGE = """\
device: fault-edge
data: {data}/edge
listen: {{http: "{edge}"}}
accounts:
  - {{name: site1, endpoint: "http://{blob}/site1", key: "file:{data}/edge/secrets/site1.key"}}
shares:
  - {{name: camera, kind: local, path: camera, quiet: 0ms}}
  - {{name: ready, kind: cloud, account: site1, container: ready, path: ready, quiet: 100ms}}
  - {{name: answers, kind: cloud, account: site1, container: answers, path: answers, quiet: 100ms}}
transforms:
  - {{name: digits, share: camera, recipe: {recipe}, to: ready, batch: {{rows: 32, after: 1s}}}}
answers:
  - {{name: digits, transform: digits, model: digits, to: answers, lines: 40, after: 1s}}
serve: {{listen: "{serve}", managed: true}}
"""


def free_address(host: str) -> str:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def wait_until(what: str, seconds: float, check):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = check()
        except (OSError, AzureError):  # a daemon that is just coming back
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds:.0f} s still no {what}")


class Loop:
    """`holdfast up` over a folder of its own, with the digits model loaded."""

    def __init__(self, folder: pathlib.Path, environment: dict[str, str] | None = None, programs: pathlib.Path = BIN):
        self.data, self.programs = folder / "data", programs
        self.camera, self.ready, self.answers = (self.data / "edge/shares" / name for name in ("camera", "ready", "answers"))
        self.address = {"hub": free_address("127.0.0.1"), "blob": free_address("127.0.0.1"), "edge": free_address("127.0.0.2"), "serve": free_address("127.0.0.1")}
        self.data.mkdir(parents=True)
        (self.data / "edge.yaml").write_text(EDGE.format(data=self.data, recipe=ROOT / "examples/digits/digits.yaml", **self.address))
        self.environment = {**os.environ, **(environment or {})}
        self.holdfast("up", "--detach", "--hub-http", self.address["hub"], "--hub-blob", self.address["blob"], "--hub-https", "127.0.0.1:0", "--hub-mqtt", "127.0.0.1:0")
        from train import export, train
        export(train(260), folder / "digits.onnx")
        self.holdfast("model", "create", "digits", "--file", str(folder / "digits.onnx"))
        from prepare import write_digits
        self.pictures = [path for path, _ in write_digits(folder / "pictures", 260, 500)]
        self.dropped: list[str] = []
        self.acknowledged: dict[str, str] = {}

    def holdfast(self, *words: str) -> str:
        done = subprocess.run([self.programs / "holdfast", *words, "--data", self.data], text=True, capture_output=True, env=self.environment, check=False)
        assert done.returncode == 0, f"holdfast {' '.join(words)}: {done.returncode} {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        subprocess.run([self.programs / "holdfast", "down", "--data", self.data], capture_output=True, check=False)

    def pid(self, daemon: str) -> int | None:
        try:
            if daemon == "serve":
                return json.loads((self.data / "edge/serve/run.json").read_text())["pid"]
            return json.loads((self.data / daemon / "run.json").read_text())["pid"]
        except (OSError, ValueError):
            return None

    def kill(self, daemon: str) -> bool:
        pid = self.pid(daemon)
        try:
            if pid and f"holdfast-{daemon}" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
                return True
        except OSError:
            pass
        return False

    def drop(self, name: str, source: pathlib.Path) -> None:
        hidden = self.camera / f".{name}.part"
        shutil.copyfile(source, hidden)
        hidden.rename(self.camera / name)
        self.dropped.append(name)

    def edge(self, path: str) -> dict:
        with urllib.request.urlopen(f"http://{self.address['edge']}{path}", timeout=5) as answer:
            return json.load(answer)

    def client(self):
        from azure.storage.blob import BlobServiceClient
        key = (self.data / "edge/secrets/site1.key").read_text().strip()
        return BlobServiceClient(f"http://{self.address['blob']}/site1", credential={"account_name": "site1", "account_key": key},
                                 retry_total=0, connection_timeout=2, read_timeout=5)

    def upload_small_blobs(self, stop: threading.Event, seed: int) -> None:
        """A stock client that remembers what was acknowledged; what failed may or may not be there."""
        generator = random.Random(seed)
        container = self.client().get_container_client("client")
        number = 0
        while not stop.is_set():
            name, content = f"blob-{number % 300:05d}", generator.randbytes(generator.randrange(1, 6000))
            number += 1
            self.acknowledged.pop(name, None)
            try:
                container.upload_blob(name, content, overwrite=True)
                self.acknowledged[name] = hashlib.sha256(content).hexdigest()
            except Exception:  # the hub is away; anything else shows in the judgement
                time.sleep(0.02)

    def settled(self) -> bool:
        """Everything answered, batched, closed and uploaded."""
        if list(self.answers.glob(".answers-*.open")):
            return False
        transforms = self.edge("/api/v1/transforms")["transforms"]
        shares = self.edge("/api/v1/uplink")["shares"]
        return (all(t["pending"] == 0 and t["batches"]["waiting"] == 0 for t in transforms) and transforms[0]["done"] >= len(self.dropped)
                and all(s["pending_files"] == 0 for s in shares))

    def judge(self) -> dict:
        """Losses and doubles, by comparing what was put in with what is there."""
        problems: list[str] = []
        lines = [json.loads(line) for path in self.answers.glob("answers-*.jsonl") for line in path.read_text().splitlines()]
        for what, counted in (("file", Counter(line["file"] for line in lines)), ("event", Counter(line["id"] for line in lines))):
            problems += [f"{what} {name} answered {count} times" for name, count in counted.items() if count != 1]
        answered = {line["file"] for line in lines}
        problems += [f"{name} was never answered" for name in self.dropped if name not in answered]
        rows = Counter(row["file"] for path in self.ready.glob("*.json") for row in json.loads(path.read_text())["rows"])
        problems += [f"{name} is in {rows[name]} batches" for name in self.dropped if rows[name] != 1]
        service = self.client()
        blobs = 0
        for share in ("ready", "answers"):
            folder = self.data / "edge/shares" / share
            local = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.relative_to(folder).parts)}
            container = service.get_container_client(share)
            remote = {blob.name for blob in container.list_blobs()}
            problems += [f"{share}/{name} is on one side only" for name in set(local) ^ remote]
            for name in set(local) & remote:
                blobs += 1
                if hashlib.sha256(container.download_blob(name).readall()).digest() != hashlib.sha256(local[name].read_bytes()).digest():
                    problems.append(f"blob {share}/{name} is not the file")
        problems += self.lost_blobs(service)
        return {"answers": len(lines), "blobs": blobs, "acknowledged": len(self.acknowledged), "problems": problems}

    def lost_blobs(self, service) -> list[str]:
        container = service.get_container_client("client")
        lost = []
        for name, digest in self.acknowledged.items():
            try:
                if hashlib.sha256(container.download_blob(name).readall()).hexdigest() != digest:
                    lost.append(f"acknowledged blob {name} has other bytes")
            except Exception as error:
                lost.append(f"acknowledged blob {name}: {type(error).__name__}")
        return lost


def kill_run(folder: pathlib.Path, seed: int, kills: int, progress=lambda done: None) -> dict:
    """One run with `kills` kills at random moments while files and blobs keep arriving; returns the judgement."""
    generator = random.Random(seed)
    loop = Loop(folder)
    stop = threading.Event()
    try:
        loop.client().create_container("client")
        uploader = threading.Thread(target=loop.upload_small_blobs, args=(stop, seed))
        uploader.start()
        done = number = 0
        next_kill = time.monotonic() + generator.uniform(0.2, 1.0)
        while done < kills:
            loop.drop(f"f{number:06d}.png", loop.pictures[number % len(loop.pictures)])
            if number % 60 == 30:  # large enough to go in blocks
                hidden = loop.ready / ".big.part"
                hidden.write_bytes(generator.randbytes(9_000_000 + generator.randrange(4_000_000)))
                hidden.rename(loop.ready / f"big-{number:06d}.bin")
            number += 1
            time.sleep(0.02)
            if time.monotonic() >= next_kill:
                done += loop.kill(generator.choice(["hub", "edge", "serve"]))
                next_kill = time.monotonic() + generator.uniform(0.05, 1.5)
                progress(done)
        stop.set()
        uploader.join()
        wait_until("rest after the last kill", 120, loop.settled)
        verdict = loop.judge()
        return {**verdict, "kills": done, "files": number}
    finally:
        stop.set()
        loop.stop()
