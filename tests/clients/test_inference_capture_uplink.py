"""Captured requests on their whole way: the server writes into an edge's cloud share, the uplink carries the files, a storage client reads them."""
import json
import pathlib
import signal
import socket
import subprocess
import time

import numpy
import pytest
import tritonclient.http as triton
from conftest import BIN, Hub
from serve_support import Serve, scale_model


class Site:
    """A hub of its own, which can be away, and an edge with the cloud share `captured`, whose uploaded files it keeps for a time."""

    def __init__(self, folder: pathlib.Path, keep: str = "forever"):
        self.folder, self.shares = folder, folder / "edge/shares"
        with socket.socket() as probe:  # the address stays while the hub is away
            probe.bind(("127.0.0.1", 0))
            blob = f"127.0.0.1:{probe.getsockname()[1]}"
        (folder / "hub.yaml").write_text(json.dumps({"listen": {"http": "127.0.0.1:0", "blob": blob}}))
        self.hub = Hub(folder, folder / "hub.yaml")
        self.hub.more = ["--config", folder / "hub.yaml", "--listen-blob", blob]
        self.hub.start()
        self.account = self.hub.create_account()
        self.container = self.account.client().get_container_client("captured")
        self.container.create_container()
        (folder / "account.key").write_text(self.account.key)
        (folder / "edge.yaml").write_text(json.dumps({
            "device": "press-07", "data": str(folder / "edge"), "listen": {"http": "127.0.0.1:0"},
            "accounts": [{"name": self.account.name, "endpoint": self.account.endpoint, "key": "file:account.key"}],
            "shares": [{"name": "captured", "kind": "cloud", "account": self.account.name, "quiet": "50ms", "keep": keep}]}))
        self.start_edge()

    def start_edge(self) -> None:
        with open(self.folder / "edge.log", "ab") as log:
            self.edge = subprocess.Popen([BIN / "holdfast-edge", "--config", self.folder / "edge.yaml"], stderr=log)

        def ready() -> bool:
            assert self.edge.poll() is None, (self.folder / "edge.log").read_text()
            try:
                return json.loads((self.folder / "edge/run.json").read_text())["pid"] == self.edge.pid
            except (FileNotFoundError, json.JSONDecodeError):
                return False

        self.until(ready, "a ready edge")

    def until(self, holds, what: str, within: float = 90) -> None:
        deadline = time.monotonic() + within
        while not holds():
            assert time.monotonic() < deadline, f"{what}\n{(self.folder / 'edge.log').read_text()[-4000:]}"
            time.sleep(0.05)

    def lines(self) -> list[dict]:
        """What arrived, read from the container."""
        return [json.loads(line) for blob in self.container.list_blobs() for line in self.container.download_blob(blob.name).readall().splitlines()]


@pytest.fixture
def site(tmp_path, request):
    made = Site(tmp_path, **getattr(request, "param", {}))
    yield made
    if made.edge.poll() is None:
        made.edge.send_signal(signal.SIGTERM)
        assert made.edge.wait(60) == 0, (tmp_path / "edge.log").read_text()
    if made.hub.process.poll() is None:
        assert made.hub.stop() == 0


def ask(serve: Serve, first: int, count: int) -> None:
    with triton.InferenceServerClient(serve.address) as client:
        for i in range(first, first + count):
            given = triton.InferInput("x", [1, 2], "FP32")
            given.set_data_from_numpy(numpy.array([[i, -i]], numpy.float32))
            client.infer("scale", [given], request_id=f"r{i}")


def test_every_captured_request_arrives_once_whatever_stops_on_the_way(site):
    capture = {"capture": {"directory": str(site.shares / "captured"), "lines": 20, "after": "200ms"}}
    with Serve(site.folder, capture).running() as serve:
        assert serve.put("scale", 4, scale_model(3))[0] == 201
        ask(serve, 0, 30)
        site.until(lambda: len(site.lines()) == 60, "thirty requests' lines")
        site.hub.kill()  # the line is down
        ask(serve, 30, 30)
        site.edge.kill()
        site.edge.wait()
        ask(serve, 60, 10)
        site.hub.start()
        site.start_edge()
        ask(serve, 70, 10)
        site.until(lambda: len(site.lines()) >= 160, "what came while the hub and the edge were away")
    found = site.lines()
    assert len(found) == 160 and len({line["id"] for line in found}) == 160
    by_request: dict[str, dict[str, dict]] = {}
    for line in found:
        by_request.setdefault(line["xrequestid"], {})[line["type"].removeprefix("azureml.inference.model_")] = line
    for i in range(80):
        inputs, outputs = by_request[f"r{i}"]["inputs"], by_request[f"r{i}"]["outputs"]
        assert inputs["correlationid"] == outputs["correlationid"] and inputs["modelversion"] == "4"
        assert inputs["data"][0]["data"] == [i, -i] and outputs["data"][0]["data"] == [3 * i, -3 * i]
    assert all(blob.name.startswith("capture-") and blob.name.endswith(".jsonl") for blob in site.container.list_blobs()), "no file that was still open"


@pytest.mark.parametrize("site", [{"keep": "0s"}], indirect=True)
def test_what_has_arrived_is_removed_and_nothing_else(site):
    """The edge is killed again and again while it uploads and removes; a file that a program holds open stays."""
    share = site.shares / "captured"
    written = {}
    held = open(share / "held.log", "w")
    held.write("begun\n")
    held.flush()
    for life in range(6):
        for i in range(40):
            name = f"{life}-{i}.txt"
            written[name] = f"{name} of life {life}\n" * (i + 1)
            (share / f".{name}").write_text(written[name])
            (share / f".{name}").rename(share / name)
        site.until(lambda: len(list(site.container.list_blobs(name_starts_with=f"{life}-"))) > 5, "some of them")
        site.edge.kill()
        site.edge.wait()
        if life == 3:
            site.hub.kill()
            site.hub.start()
        site.start_edge()
    site.until(lambda: {path.name for path in share.iterdir()} == {"held.log", ".sent"}, "an empty share")
    assert not list((share / ".sent").iterdir())
    assert (share / "held.log").read_text() == "begun\n", "its program may write more"
    found = {blob.name: site.container.download_blob(blob.name).readall().decode() for blob in site.container.list_blobs()}
    assert {name: text for name, text in found.items() if name != "held.log"} == written
    held.write("ended\n")
    held.close()
    site.until(lambda: not (share / "held.log").exists(), "the closed file")
    assert site.container.download_blob("held.log").readall() == b"begun\nended\n"
