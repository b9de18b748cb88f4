"""holdfast-edge as one program: files land in a share, are answered, set aside or batched; kill -9 in between.

The inference server here is a small stand-in that speaks the Open Inference Protocol, so that answers can be refused
and delayed on purpose; the real one has its own tests.
"""
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request
import zlib

import numpy
import pytest

BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", pathlib.Path(__file__).parents[2] / "build/release/bin"))
RECIPE = """steps:
  - decode: {color: gray}
  - resize: {width: 4, height: 4, filter: area}
  - scale: {from: [0, 255], to: [0, 1]}
  - layout: flat
  - type: float32
"""


def png(pixels: numpy.ndarray) -> bytes:
    """An 8-bit gray PNG of a 2-D array."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(numpy.uint8))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Model(http.server.ThreadingHTTPServer):
    """Answers with the mean of its input; `status` other than 200 refuses."""
    daemon_threads = True
    status = 200

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def reply(self, status: int, document: dict) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.reply(200, {"name": "mean", "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 16]}]})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.server.status != 200:
                return self.reply(self.server.status, {"error": "planned"})
            values = numpy.frombuffer(body[int(self.headers["Inference-Header-Content-Length"]):], dtype="<f4")
            self.reply(200, {"model_version": "1", "parameters": {"model_digest": "sha256:00"},
                             "outputs": [{"name": "mean", "datatype": "FP32", "shape": [1], "data": [float(values.mean())]}]})

        def log_message(self, *_) -> None:
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Edge:
    def __init__(self, folder: pathlib.Path, model: Model, extra: str = ""):
        self.folder, self.data = folder, folder / "data"
        (folder / "recipe.yaml").write_text(RECIPE)
        (folder / "edge.yaml").write_text(f"""device: test-edge
data: {self.data}
listen: {{http: "127.0.0.1:0"}}
shares:
  - {{name: camera, kind: local, quiet: 50ms}}
  - {{name: ready, kind: local, quiet: 50ms}}
  - {{name: answers, kind: local, quiet: 50ms}}
transforms:
  - {{name: mean, share: camera, recipe: recipe.yaml, to: ready, batch: {{rows: 8, after: 1s}}}}
answers:
  - {{name: mean, transform: mean, model: mean, to: answers, lines: 10, after: 1s}}
serve: {{listen: "127.0.0.1:{model.server_address[1]}", managed: false}}
{extra}""")
        self.process = None

    def start(self) -> "Edge":
        self.log = open(self.folder / "edge.log", "ab")
        self.process = subprocess.Popen([BIN / "holdfast-edge", "--config", self.folder / "edge.yaml"], stderr=self.log)
        wait_for(lambda: self.run_json() and self.run_json()["pid"] == self.process.pid, "a ready edge")
        return self

    def run_json(self):
        try:
            return json.loads((self.data / "run.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def get(self, path: str):
        with urllib.request.urlopen(f"http://{self.run_json()['http']}{path}", timeout=10) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    def put(self, name: str, content: bytes) -> None:
        hidden = self.data / "shares/camera" / f".{name}.part"
        hidden.write_bytes(content)
        hidden.rename(self.data / "shares/camera" / name)

    def lines(self, closed_only: bool = False) -> list[dict]:
        folder, out = self.data / "shares/answers", []
        for pattern in ["answers-*.jsonl"] + ([] if closed_only else [".answers-*.jsonl.open"]):
            for path in folder.glob(pattern):
                try:
                    out += [json.loads(line) for line in path.read_text().split("\n")[:-1]]
                except FileNotFoundError:  # closed just now, under its other name
                    continue
        return out

    def rows(self) -> list[dict]:
        return [row for path in (self.data / "shares/ready").glob("mean-*.json") for row in json.loads(path.read_text())["rows"]]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def wait_for(check, what: str, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"after {seconds} s still no {what}")


@pytest.fixture
def edge(tmp_path):
    model = Model()
    edge = Edge(tmp_path, model)
    edge.model = model
    edge.start()
    yield edge
    if edge.process.poll() is None:
        edge.process.kill()
        edge.process.wait()
    model.shutdown()


def picture(level: int) -> bytes:
    return png(numpy.full((8, 8), level))


def test_files_are_answered_and_batched(edge):
    generator = numpy.random.default_rng(1)
    pictures = {f"p{i}.png": generator.integers(0, 256, (8, 8)) for i in range(20)}
    for name, pixels in pictures.items():
        edge.put(name, png(pixels))
    wait_for(lambda: len(edge.lines(closed_only=True)) == 20, "20 lines in closed files")
    for line in edge.lines():
        assert line["outputs"]["mean"] == pytest.approx(pictures[line["file"]].mean() / 255, rel=1e-5)
        assert line["device"] == "test-edge" and line["share"] == "camera" and line["model_digest"] == "sha256:00"
    wait_for(lambda: len(edge.rows()) == 20, "20 rows in batches")
    for path in sorted((edge.data / "shares/ready").glob("mean-*.json")):
        manifest, tensor = json.loads(path.read_text()), numpy.load(path.with_suffix(".npy"))
        assert list(tensor.shape) == manifest["shape"] and tensor.dtype == manifest["dtype"] == "float32"
        for row in manifest["rows"]:
            blocks = pictures[row["file"]].reshape(4, 2, 4, 2).mean(axis=(1, 3)).flatten() / 255
            assert numpy.allclose(tensor[row["row"]], blocks, atol=1e-6)
    assert edge.stop() == 0
    assert edge.run_json() is None


def test_a_bad_file_is_set_aside_with_its_reason(edge):
    edge.put("broken.png", picture(1)[:40])
    edge.put("note.txt", b"not a picture")
    edge.put("good.png", picture(1))
    wait_for(lambda: edge.get("/api/v1/transforms")["transforms"][0]["failed"] == 2, "two failed files")
    aside = edge.data / "shares/camera/.set-aside"
    assert json.loads((aside / "broken.png.reason.json").read_text())["reason"] == "truncated_image"
    assert json.loads((aside / "note.txt.reason.json").read_text())["reason"] == "not_an_image"
    wait_for(lambda: len(edge.lines()) == 1, "one answer")


def test_a_model_that_is_away_loses_nothing(edge):
    edge.model.status = 503
    for i in range(10):
        edge.put(f"p{i}.png", picture(i))
    wait_for(lambda: edge.get("/api/v1/answers")["answers"][0]["state"] == "waiting", "state waiting")
    edge.kill()
    edge.start()
    assert edge.lines() == []
    edge.model.status = 200
    wait_for(lambda: len(edge.lines()) == 10, "10 answers")
    assert not (edge.data / "shares/camera/.set-aside").exists()


@pytest.mark.parametrize("seed", range(4))
def test_kill_nine_neither_loses_nor_repeats(edge, seed):
    generator = numpy.random.default_rng(seed)
    for i in range(40):
        edge.put(f"p{i}.png", picture(i))
        if i % 8 == 7:
            time.sleep(generator.uniform(0, 0.05))
            edge.kill()
            edge.start()
    wait_for(lambda: len(edge.lines(closed_only=True)) >= 40, "40 lines in closed files")
    wait_for(lambda: len(edge.rows()) >= 40, "40 rows")
    names = sorted(f"p{i}.png" for i in range(40))
    assert sorted(line["file"] for line in edge.lines()) == names
    assert sorted(row["file"] for row in edge.rows()) == names


def test_the_api(edge):
    edge.put("p.png", picture(51))
    wait_for(lambda: edge.get("/api/v1/answers?limit=5")["answers"][0]["answered"] == 1, "one answer")
    assert edge.get("/healthz") == {"status": "ok"}
    status = edge.get("/api/v1/status")
    assert {"device", "shares", "uplink", "transforms", "answers", "serve"} <= set(status)
    assert status["serve"]["managed"] is False
    answers = edge.get("/api/v1/answers?limit=5")["answers"][0]
    assert answers["latency"]["count"] == 1 and answers["latency"]["p50_ms"] > 0
    assert answers["last"][0]["outputs"]["mean"] == pytest.approx(0.2, rel=1e-5)
    assert 'holdfast_answers_answered{name="mean"} 1' in edge.get("/metrics")


def test_a_wrong_configuration_names_its_place(tmp_path):
    (tmp_path / "edge.yaml").write_text("device: a\ndata: /nonexistent\nshaers: []\n")
    done = subprocess.run([BIN / "holdfast-edge", "--config", tmp_path / "edge.yaml"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "edge.yaml:3:1: shaers: is not a known key" in done.stderr and "shares" in done.stderr


def test_an_idle_edge_is_small(edge):
    def pss() -> int:
        text = pathlib.Path(f"/proc/{edge.process.pid}/smaps_rollup").read_text()
        return int(next(line for line in text.split("\n") if line.startswith("Pss:")).split()[1])
    wait_for(lambda: pss() < 30 * 1024, f"PSS under 30 MiB; it is {pss()} KiB", seconds=5)


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as client:
        return client.connect_ex(address) == 0


@pytest.mark.skipif(not (BIN / "holdfast-serve").exists(), reason="holdfast-serve is not built")
def test_a_killed_edge_takes_its_inference_server_along(tmp_path):
    model = Model()
    edge = Edge(tmp_path, model)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        grpc = probe.getsockname()
    config = (tmp_path / "edge.yaml").read_text().split("serve:")[0] + f'serve: {{listen: "127.0.0.1:0", grpc: "127.0.0.1:{grpc[1]}"}}\n'
    (tmp_path / "edge.yaml").write_text(config)
    edge.start()
    try:
        serve = wait_for(lambda: edge.get("/api/v1/status")["serve"]["pid"], "a process of the server")
        os.kill(serve, signal.SIGKILL)
        again = wait_for(lambda: (s := edge.get("/api/v1/status")["serve"])["pid"] not in (0, serve) and s, "a restart")
        wait_for(lambda: listens(grpc), "its gRPC door")
        assert again["restarts"] == 1 and again["last_exit"] == "killed by signal 9"
        edge.kill()
        wait_for(lambda: not pathlib.Path(f"/proc/{again['pid']}/cmdline").exists()
                 or not pathlib.Path(f"/proc/{again['pid']}/cmdline").read_bytes(), "end of the server")
    finally:
        if edge.process.poll() is None:
            edge.kill()
        model.shutdown()
        shutil.rmtree(tmp_path, ignore_errors=True)
