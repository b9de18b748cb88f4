"""kill -9 of the hub while images are pushed: no image is half there, and what was acknowledged is there."""
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/release/bin"))
sys.path[:0] = [str(ROOT / "tests/clients"), str(ROOT / "examples/digits")]
from registry_support import MANIFEST, Http, Image, layer, sha256  # noqa: E402


class Hub:
    def __init__(self, folder: pathlib.Path):
        self.folder, self.data = folder, folder / "hub"

    def start(self) -> Http:
        command = [BIN / "holdfast-hub", "--data", self.data, "--listen-http", "127.0.0.1:0", "--listen-blob", "127.0.0.1:0"]
        with open(self.folder / "hub.log", "ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                run = json.loads((self.data / "run.json").read_text())
                if run["pid"] == self.process.pid:
                    return Http(run["http"], (self.data / "token").read_text().strip())
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            time.sleep(0.005)
        raise AssertionError(f"no ready hub; its log: {(self.folder / 'hub.log').read_text()}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Pusher(threading.Thread):
    """Pushes images until the hub is gone, and remembers what was acknowledged."""

    def __init__(self, api: Http, number: int, seed: int, model: bytes):
        super().__init__()
        self.api, self.number, self.seed, self.rng, self.model = api, number, seed, random.Random(seed), model
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], str] = {}
        self.uploads: dict[str, int] = {}
        self.failures: list[str] = []

    def run(self) -> None:
        try:
            for turn in range(10_000):
                if self.number == 0:
                    self.publish(turn)
                else:
                    self.push(turn)
        except OSError:
            pass  # the hub is gone
        except Exception as error:  # noqa: BLE001  # an answer that should not be
            if type(error).__module__ != "http.client":
                self.failures.append(repr(error))

    def take(self, want: int, answer) -> None:
        if answer[0] != want:
            raise RuntimeError(f"{answer[0]} in place of {want}: {answer[2][:300]}")

    def push(self, turn: int) -> None:
        repository = f"kill/r{self.number}"
        image = Image([layer({"f": self.rng.randbytes(self.rng.choice([10, 20_000, 600_000]))})])
        for digest, data in image.blobs.items():
            answer = self.api.ask("POST", f"/v2/{repository}/blobs/uploads/")
            self.take(202, answer)
            location, cut = answer[1]["Location"], len(data) // 2
            self.uploads[location] = 0
            self.take(202, self.api.ask("PATCH", location, data[:cut], {"Content-Range": f"0-{cut - 1}"}))
            self.uploads[location] = cut
            del self.uploads[location]  # from here on it may have ended
            self.take(201, self.api.ask("PUT", f"{location}?digest={digest}", data[cut:]))
            self.blobs[repository, digest] = data
        tag = f"t{self.seed}-{turn}"
        self.take(201, self.api.ask("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, {"Content-Type": MANIFEST}))
        self.manifests[repository, tag] = image.digest

    def publish(self, turn: int) -> None:
        name = f"k{self.rng.randrange(10 ** 9)}"
        answer = self.api.ask("PUT", f"/api/v1/registry/models/{name}/1", self.model)
        self.take(201, answer)
        self.manifests[f"models/{name}", "latest"] = json.loads(answer[2])["digest"]


def stored(api: Http, repository: str, digest: str) -> tuple[int | str, bytes]:
    """A blob's status and bytes; damage that is found on the way ends the answer short."""
    try:
        status, _, body = api.ask("GET", f"/v2/{repository}/blobs/{digest}")
    except http.client.IncompleteRead as cut:
        return "cut short", cut.partial
    return status, body


def judge(api: Http, pushers: list[Pusher]) -> list[str]:
    """What is wrong in the registry, from outside."""
    problems = []
    for pusher in pushers:
        problems += pusher.failures
        for (repository, digest), data in pusher.blobs.items():
            status, body = stored(api, repository, digest)
            if status != 200 or body != data:
                problems.append(f"acknowledged blob {repository} {digest}: {status}")
        for (repository, tag), digest in pusher.manifests.items():
            status, headers, _ = api.ask("HEAD", f"/v2/{repository}/manifests/{tag}")
            if status != 200 or headers["Docker-Content-Digest"] != digest:
                problems.append(f"acknowledged image {repository}:{tag}: {status}")
        for location, size in pusher.uploads.items():
            status, headers, _ = api.ask("GET", location)
            end = int(headers["Range"].split("-")[1]) + 1 if status == 204 else 0
            if status != 204 or (size > 0 and end < size):
                problems.append(f"upload {location} of {size} acknowledged bytes: {status}, {headers.get('Range')}")
    whole = set()
    for repository in json.loads(api.ask("GET", "/v2/_catalog")[2])["repositories"]:
        for tag in json.loads(api.ask("GET", f"/v2/{repository}/tags/list")[2])["tags"]:
            status, _, manifest = api.ask("GET", f"/v2/{repository}/manifests/{tag}")
            if status != 200:
                problems.append(f"{repository}:{tag} is a tag of nothing")
                continue
            described = json.loads(manifest)
            for blob in [described["config"], *described["layers"]]:
                if blob["digest"] in whole:
                    continue
                status, body = stored(api, repository, blob["digest"])
                if status != 200 or sha256(body) != blob["digest"] or len(body) != blob["size"]:
                    problems.append(f"{repository}:{tag} is half there: {blob['digest']} {status}")
                whole.add(blob["digest"])
    return problems


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> bytes:
    from train import export, train

    path = tmp_path_factory.mktemp("model") / "model.onnx"
    export(train(100), path)
    return path.read_bytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_leave_no_half_image_and_lose_nothing(tmp_path, model, seed):
    rng = random.Random(seed)
    hub = Hub(tmp_path)
    pushers: list[Pusher] = []
    try:
        for turn in range(6):
            api = hub.start()
            mine = [Pusher(api, number, seed * 1000 + turn * 10 + number, model) for number in range(4)]
            for pusher in mine:
                pusher.start()
            # The first publication makes the runtime layer, which takes seconds: kill in it, and after it.
            until = time.monotonic() + (60 if turn == 1 else 0)
            while time.monotonic() < until and not mine[0].manifests:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.02, 0.8))
            hub.kill()
            for pusher in mine:
                pusher.join(60)
            pushers += mine
        api = hub.start()
        for pusher in pushers:
            pusher.api = api
        assert judge(api, pushers) == []
        assert sum(len(pusher.manifests) for pusher in pushers if pusher.number > 0) > 10
        assert sum(len(pusher.manifests) for pusher in pushers if pusher.number == 0) > 0
        # It goes on as if nothing had been.
        pushers[0].publish(0)
        pushers[1].push(10_001)
        assert judge(api, pushers[:2]) == []
        hub.process.send_signal(signal.SIGTERM)
        assert hub.process.wait(30) == 0
        assert not list((hub.data / "images/building").iterdir())
    finally:
        if hub.process.poll() is None:
            hub.kill()


def test_the_judge_sees_a_loss(tmp_path, model):
    hub = Hub(tmp_path)
    try:
        api = hub.start()
        pusher = Pusher(api, 1, 7, model)
        pusher.push(0)
        assert judge(api, [pusher]) == []
        pusher.blobs["kill/r1", sha256(b"never")] = b"never"
        pusher.manifests["kill/r1", "never"] = sha256(b"never")
        pusher.uploads["/v2/kill/r1/blobs/uploads/never"] = 5
        # Bytes of all that is stored turned over behind the hub's back.
        for stored in (path for path in (hub.data / "content").rglob("*") if path.is_file()):
            damaged = bytearray(stored.read_bytes())
            damaged[::1000] = bytes(byte ^ 0xFF for byte in damaged[::1000])
            stored.write_bytes(damaged)
        problems = "\n".join(judge(api, [pusher]))
        for sign in ("acknowledged blob", "acknowledged image", "upload /v2", "half there"):
            assert sign in problems, problems
    finally:
        hub.kill()
