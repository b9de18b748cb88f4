"""kill -9 of the edge, the hub and the module while files go through: each comes out, and each is told upstream."""
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time

import pytest
from azure.iot.device import IoTHubModuleClient

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from edge_support import ModuleEdge, ModuleHub  # noqa: E402
from iot_support import Insistent, wait_until  # noqa: E402


def module_pid(edge: ModuleEdge) -> int | None:
    """The module is the edge's only child here."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == edge.process.pid:
                return int(folder.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return None


class Outsider(threading.Thread):
    """A module that outlives the edge, as a container does: it notes each event, and numbers messages until they are acknowledged."""

    def __init__(self, environment: dict[str, str], monkeypatch):
        super().__init__(daemon=True)
        for name in ("EdgeHubConnectionString", "EdgeModuleCACertificateFile"):
            monkeypatch.setenv(name, environment[name])
        self.seen: dict[str, set[str]] = {}  # path → event ids
        self.sent: list[int] = []
        self.done = False

    def note(self, message) -> None:
        event = json.loads(message.data)
        assert message.input_name == "files" and message.message_id == event["id"]
        self.seen.setdefault(event["path"], set()).add(event["id"])

    def listen(self, client) -> None:
        client.on_message_received = self.note

    def run(self):
        module = Insistent(lambda: IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1), self.listen)
        number = 0
        while not self.done:
            number += 1
            module.until_done(lambda client: client.send_message_to_output(str(number), "results"))
            self.sent += [] if self.done else [number]
        module.client.shutdown()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_broker_loses_nothing_that_it_took(tmp_path, seed, monkeypatch):
    rng = random.Random(seed)
    hub = ModuleHub(tmp_path).start()
    edge = ModuleEdge(tmp_path, hub).start()
    names: list[str] = []
    outsider = None
    try:
        # The deployment's own process only holds the name: its environment is the outsider's.
        hub.deploy({"upper": {**edge.process_module(), "settings": {"command": ["/bin/sleep", "1000000"]}}})
        pid = wait_until("module", 60, lambda: module_pid(edge))
        environment = dict(pair.split("=", 1) for pair in pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in pair)
        outsider = Outsider(environment, monkeypatch)
        outsider.start()
        wait_until("first messages", 60, lambda: len(outsider.sent) > 5)
        for _ in range(8):
            for _ in range(15):
                names.append(f"{len(names):04}.txt")
                edge.drop(names[-1], names[-1])
            time.sleep(rng.uniform(0.02, 0.8))
            edge.kill()
            edge.start()
        count = len(outsider.sent)
        wait_until("messages after the last kill", 60, lambda: len(outsider.sent) > count + 5)
        wait_until("every event", 120, lambda: set(names) <= set(outsider.seen))
        assert all(len(ids) == 1 for ids in outsider.seen.values())
        outsider.done = True
        outsider.join(60)
        assert not outsider.is_alive()
        wait_until("every acknowledged message upstream", 120, lambda: set(outsider.sent) <= {int(each["body"]) for each in hub.telemetry("press-07")})
    finally:
        if outsider:
            outsider.done = True
        assert edge.stop() == 0
        assert hub.stop() == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_lose_no_file_and_no_message(tmp_path, seed):
    rng = random.Random(seed)
    hub = ModuleHub(tmp_path).start()
    edge = ModuleEdge(tmp_path, hub).start()
    names: list[str] = []

    def drop(count: int) -> None:
        for _ in range(count):
            names.append(f"{len(names):04}.txt")
            edge.drop(names[-1], f"file {names[-1]} of seed {seed}")

    try:
        hub.deploy({"upper": edge.process_module()})
        drop(5)
        wait_until("first file", 60, lambda: edge.made(names[0]))
        for kill in range(6):
            drop(10)
            time.sleep(rng.uniform(0.02, 1.5))
            victim = ["edge", "hub", "edge", "module", "both", "edge"][kill]
            if victim == "module":
                if pid := module_pid(edge):
                    os.kill(pid, signal.SIGKILL)
            if victim in ("edge", "both"):
                edge.kill()
            if victim in ("hub", "both"):
                hub.kill()
                drop(5)
                hub.start()
            if victim in ("edge", "both"):
                drop(5)  # found by the scan at the start
                edge.start()
        drop(5)
        for name in names:
            wait_until(f"{name} from the module", 120, lambda: edge.made(name) == f"FILE {name.upper()} OF SEED {seed}")
        wait_until("every message upstream", 120, lambda: set(names) <= {result["path"] for result in hub.results()})
        # A message that is there twice has one id: what reads them can tell.
        ids: dict[str, set[str]] = {}
        for each in hub.telemetry("press-07"):
            ids.setdefault(each["body"], set()).add(each["systemProperties"]["mid"])
        assert all(len(found) == 1 for found in ids.values())
    except AssertionError:
        print(edge.logs())
        raise
    finally:
        assert edge.stop() == 0
        assert hub.stop() == 0
