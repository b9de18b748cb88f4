"""What the benchmarks start and drop into: our daemons, the peers, files. Everything ends with its `with` block."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/release/bin"))
DIGITS = ROOT / "examples/digits"
sys.path.insert(0, str(DIGITS))


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def wait_for(what: str, seconds: float, check):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.002)
    raise SystemExit(f"{what} did not happen within {seconds:.0f} s")


def run_file(path: pathlib.Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None


@contextlib.contextmanager
def process(command: list, log: pathlib.Path, **more) -> Iterator[subprocess.Popen]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        child = subprocess.Popen([str(word) for word in command], stdout=more.pop("stdout", out), stderr=out, **more)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def api(url: str, token: str, method: str = "GET", body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {token}"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@contextlib.contextmanager
def hub(folder: pathlib.Path) -> Iterator[dict]:
    data = folder / "hub"
    begin = time.monotonic()
    with process([BIN / "holdfast-hub", "--data", data, "--listen-http", "127.0.0.1:0", "--listen-blob", "127.0.0.1:0"], folder / "hub.log") as child:
        run = wait_for("hub ready", 20, lambda: run_file(data / "run.json"))
        ready_ms = 1000 * (time.monotonic() - begin)
        token = (data / "token").read_text().strip()
        base = f"http://{run['http']}/api/v1/storage/accounts"
        api(base, token, "POST", {"name": "bench"})
        key = api(f"{base}/bench/keys", token)["keys"][0]["value"]
        yield {"name": "holdfast", "endpoint": f"http://{run['blob']}/bench", "account": "bench", "key": key, "pid": child.pid, "ready_ms": ready_ms}


@contextlib.contextmanager
def azurite(folder: pathlib.Path) -> Iterator[dict]:
    program = ROOT / ".deps/peers/node_modules/.bin/azurite-blob"
    if not program.exists():
        raise SystemExit("Azurite is not installed; run scripts/setup --peers")
    port = free_port()
    with process([program, "--blobPort", port, "--blobHost", "127.0.0.1", "--location", folder / "azurite", "--silent", "--disableTelemetry", "--skipApiVersionCheck"],
                 folder / "azurite.log") as child:
        def answers() -> bool:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            return False
        wait_for("Azurite ready", 60, answers)
        key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # its public constant
        yield {"name": "azurite", "endpoint": f"http://127.0.0.1:{port}/devstoreaccount1", "account": "devstoreaccount1", "key": key, "pid": child.pid}


def create_container(side: dict, name: str) -> None:
    from azure.storage.blob import BlobServiceClient
    BlobServiceClient(side["endpoint"], credential={"account_name": side["account"], "account_key": side["key"]}).create_container(name)


def send_each(address: str, requests: list[bytes], connections: int = 16) -> None:
    """Every request once; all must be answered below 400."""
    import threading
    host, port = address.split(":")
    failures: list[bytes] = []

    def work(part: list[bytes]) -> None:
        with socket.create_connection((host, int(port))) as wire, wire.makefile("rb") as answers:
            for request in part:
                wire.sendall(request)
                status = answers.readline()
                length = 0
                while (line := answers.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)
                if int(status.split()[1]) >= 400:
                    failures.append(status)
    threads = [threading.Thread(target=work, args=(requests[i::connections],)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{address}: {len(failures)} requests failed, the first with {failures[0]!r}")


def digits_model(folder: pathlib.Path) -> pathlib.Path:
    from train import export, train
    path = folder / "digits.onnx"
    if not path.exists():
        export(train(260), path)
    return path


def put_model(address: str, name: str, path: pathlib.Path) -> None:
    request = urllib.request.Request(f"http://{address}/api/v1/models/{name}/versions/1", path.read_bytes(), method="PUT")
    urllib.request.urlopen(request, timeout=60).read()


def post(address: str, path: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"http://{address}{path}", b"", method="POST"), timeout=60).read()


@contextlib.contextmanager
def serve(folder: pathlib.Path, model: pathlib.Path) -> Iterator[tuple[str, int]]:
    """Address and pid of an inference server that has the model."""
    data = folder / "serve"
    with process([BIN / "holdfast-serve", "--data", data, "--listen", "127.0.0.1:0", "--grpc", ""], folder / "serve.log"):
        run = wait_for("serve ready", 20, lambda: run_file(data / "run.json"))
        put_model(run["http"], "digits", model)
        yield run["http"], run["pid"]


@contextlib.contextmanager
def serve_data(data: pathlib.Path, model: pathlib.Path) -> Iterator[dict]:
    """The run file of an inference server with this data directory and a local door in it, and the model as "m"."""
    data.mkdir(parents=True, exist_ok=True)
    serve = [BIN / "holdfast-serve", "--data", data, "--listen", "127.0.0.1:0", "--grpc", "", "--local", data / "local.sock"]
    with process(serve, data.parent / f"{data.name}.log"):
        run = wait_for("serve ready", 20, lambda: run_file(data / "run.json"))
        put_model(run["http"], "m", model)
        yield run


@contextlib.contextmanager
def serve_grpc(folder: pathlib.Path, model: pathlib.Path | None) -> Iterator[tuple[str, int]]:
    """The gRPC door's address and the pid of an inference server, with the model if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "serve-grpc"
    with process([BIN / "holdfast-serve", "--data", data, "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"], folder / "serve-grpc.log"):
        run = wait_for("serve ready", 20, lambda: run_file(data / "run.json"))
        if model is not None:
            put_model(run["http"], "digits", model)
        yield run["grpc"], run["pid"]


MLSERVER_RUNTIME = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

class OnnxModel(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload):
        rows = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        found = zip(self.session.get_outputs(), self.session.run(None, rows))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output(output.name, values) for output, values in found])
"""


@contextlib.contextmanager
def mlserver(folder: pathlib.Path, model: pathlib.Path) -> Iterator[str]:
    """The HTTP address of MLServer with a runtime of the kind its documentation shows, over ONNX Runtime, in the server's own process."""
    place, ports = folder / "mlserver", [free_port() for _ in range(3)]
    place.mkdir()
    (place / "onnx_model.py").write_text(MLSERVER_RUNTIME)
    (place / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1], "metrics_port": ports[2],
                                                     "parallel_workers": 0, "debug": False}))
    (place / "model-settings.json").write_text(json.dumps({"name": "digits", "implementation": "onnx_model.OnnxModel", "parameters": {"uri": str(model)}}))
    address = f"127.0.0.1:{ports[0]}"

    def ready() -> bool:
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://{address}/v2/models/digits/ready", timeout=5).status == 200
        return False

    with process([ROOT / ".deps/mlserver/bin/python", ROOT / ".deps/mlserver/bin/mlserver", "start", place], folder / "mlserver.log"):
        wait_for("MLServer ready", 120, ready)
        yield address


@contextlib.contextmanager
def grpc_echo(*model: pathlib.Path) -> Iterator[tuple[str, int]]:
    with process([BIN / "bench_grpc_echo", *model], ROOT / "build/grpc_echo.log", stdout=subprocess.PIPE) as child:
        yield f"127.0.0.1:{int(child.stdout.readline())}", child.pid


@contextlib.contextmanager
def local_echo(socket_path: pathlib.Path, model: pathlib.Path) -> Iterator[int]:
    with process([BIN / "bench_local_echo", socket_path, model], ROOT / "build/local_echo.log", stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        yield child.pid


@contextlib.contextmanager
def beast_echo(*model: pathlib.Path) -> Iterator[tuple[str, int]]:
    with process([BIN / "bench_beast_echo", *model], ROOT / "build/beast_echo.log", stdout=subprocess.PIPE) as child:
        yield f"127.0.0.1:{int(child.stdout.readline())}", child.pid


def pin(pid: int, core: int) -> None:
    """Keeps every thread of the process on one core, where there are two."""
    if (os.cpu_count() or 1) > 1:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {core})


def digit_pictures(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    from prepare import write_digits
    return [path for path, _ in write_digits(folder / "pictures", 260, count)]


def photographs() -> list[pathlib.Path]:
    """The full-size sample photographs of Debian's opencv-doc: JPEGs of at least 300,000 pixels, unpacked as they are."""
    from PIL import Image
    found = []
    for path in sorted(pathlib.Path("/usr/share/doc/opencv-doc").rglob("*.jpg")):
        with Image.open(path) as picture:
            if picture.width * picture.height >= 300_000:
                found.append(path)
    if not found:
        raise SystemExit("no photographs: install Debian's opencv-doc (scripts/setup --peers)")
    return found


EDGE = """\
device: bench
data: {data}
listen: {{http: "127.0.0.1:0"}}
shares:
  - {{name: camera, kind: local, path: camera, quiet: 0ms}}
  - {{name: ready, kind: local, path: ready}}
  - {{name: answers, kind: local, path: answers}}
transforms:
  - {{name: digits, share: camera, recipe: {recipe}, to: ready, batch: {{rows: 256, after: 10s}}}}
answers:
  - {{name: digits, transform: digits, model: digits, to: answers, lines: 100000, after: 1h}}
serve: {{listen: "127.0.0.1:0", managed: true}}
"""


class Flow:
    """A running edge whose share is written to and whose open answer file is read, both from outside."""

    def __init__(self, data: pathlib.Path, edge_pid: int):
        self.camera, self.answers, self.edge_pid = data / "shares/camera", data / "shares/answers", edge_pid
        self.landed: dict[str, float] = {}

    def drop(self, source: pathlib.Path, name: str) -> None:
        with open(source, "rb") as bytes_in, open(self.camera / name, "wb") as out:
            shutil.copyfileobj(bytes_in, out)
        self.landed[name] = time.time()  # the file is closed here

    def collect(self, count: int, seconds: float) -> list[float]:
        def all_lines() -> list[dict] | None:
            lines = [json.loads(line) for path in [*self.answers.glob(".answers-*.open"), *self.answers.glob("answers-*.jsonl")]
                     for line in path.read_text().split("\n")[:-1]]
            return lines if len(lines) >= count else None
        lines = wait_for(f"{count} answers", seconds, all_lines)
        return [1000 * (seconds_of(line["answered"]) - self.landed[line["file"]]) for line in lines]


def seconds_of(stamp: str) -> float:
    import calendar
    whole, fraction = re.fullmatch(r"(.*)\.(\d+)Z", stamp).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}")


@contextlib.contextmanager
def flow(folder: pathlib.Path) -> Iterator[Flow]:
    folder.mkdir(parents=True)
    data = folder / "edge"
    (folder / "edge.yaml").write_text(EDGE.format(data=data, recipe=DIGITS / "digits.yaml"))
    with process([BIN / "holdfast-edge", "--config", folder / "edge.yaml"], folder / "edge.log") as child:
        run = wait_for("edge ready", 20, lambda: run_file(data / "run.json"))
        wait_for("serve ready", 20, lambda: run_file(data / "serve/run.json"))
        put_model(run["serve"], "digits", digits_model(folder))
        yield Flow(data, child.pid)


def pss_mib(pid: int) -> float:
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M).group(1)) / 1024
