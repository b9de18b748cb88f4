"""kill -9 of the edge's inference server while unmodified tritonclients ask it: the edge starts it again, a request that is asked again is answered, and no answer is wrong."""
import os
import pathlib
import signal
import sys
import threading
import time

import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from test_edge_flow import Edge, Model, wait_for
from tritonclient.utils import InferenceServerException

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from process_support import free_ports  # noqa: E402
from serve_support import scale_model  # noqa: E402

KILLS, FACTOR = 5, 3


@pytest.fixture
def edge(tmp_path):
    """Its server's ports stay the same, as a client's configuration has them."""
    model = Model()
    edge = Edge(tmp_path, model)
    edge.http, edge.grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
    section = f'serve: {{listen: "{edge.http}", grpc: "{edge.grpc}"}}\n'
    (tmp_path / "edge.yaml").write_text((tmp_path / "edge.yaml").read_text().split("serve:")[0] + section)
    edge.start()
    yield edge
    edge.stop()
    model.shutdown()


class Asker(threading.Thread):
    """Asks one request after the other, each until it is answered."""

    def __init__(self, door, address: str):
        super().__init__(daemon=True)
        self.door, self.address, self.done = door, address, False
        self.answered, self.again, self.wrong = 0, 0, []

    def ask(self, value: float) -> float:
        with self.door.InferenceServerClient(self.address) as client:
            given = self.door.InferInput("x", [1, 2], "FP32")
            given.set_data_from_numpy(numpy.full((1, 2), value, numpy.float32))
            return float(client.infer("m", [given]).as_numpy("y")[0, 0])

    def run(self):
        while not self.done:
            value = float(self.answered % 1000)
            try:
                answer = self.ask(value)
            except Exception as error:  # noqa: BLE001: which are right is judged below
                self.again += 1
                # The server answers nothing wrong, not even while it begins and ends: what fails is the connection.
                if isinstance(error, InferenceServerException) and error.status() not in ("StatusCode.UNAVAILABLE", "503"):
                    self.wrong.append(f"{error.status()}: {error}")
                time.sleep(0.02)
                continue
            self.answered += 1
            if answer != FACTOR * value:
                self.wrong.append(f"{answer} for {value}")


def is_ready(address: str) -> bool:
    try:
        with triton.InferenceServerClient(address) as client:
            return client.is_server_ready()
    except OSError:
        return False


def test_clients_that_ask_again_are_all_answered(edge):
    wait_for(lambda: is_ready(edge.http), "a ready server")
    folder = edge.data / "models/m/1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(scale_model(FACTOR))
    with triton.InferenceServerClient(edge.http) as client:
        client.load_model("m")
    askers = [Asker(triton, edge.http), Asker(triton, edge.http), Asker(triton_grpc, edge.grpc)]
    for asker in askers:
        asker.start()
    for life in range(KILLS + 1):
        before = [asker.answered for asker in askers]
        wait_for(lambda: all(asker.answered >= had + 50 for asker, had in zip(askers, before)), f"answers to all in life {life}", 60)
        if life < KILLS:
            os.kill(edge.get("/api/v1/status")["serve"]["pid"], signal.SIGKILL)
    for asker in askers:
        asker.done = True
        asker.join(60)
    assert edge.get("/api/v1/status")["serve"]["restarts"] == KILLS
    assert [asker.wrong for asker in askers] == [[], [], []]
    assert all(asker.again >= 1 for asker in askers), "nobody saw a kill"
