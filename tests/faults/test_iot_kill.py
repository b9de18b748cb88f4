"""kill -9 of the hub while devices speak to it: what was acknowledged survives, under its order and at least once."""
import json
import pathlib
import random
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from iot_support import Insistent, IotHub, wait_until  # noqa: E402


class Speaker(threading.Thread):
    """A device that numbers its messages and its reported patches, and repeats each until it is acknowledged."""

    def __init__(self, hub: IotHub, name: str):
        super().__init__(daemon=True)
        self.key = hub.create(name)["authentication"]["symmetricKey"]["primaryKey"]
        self.hub, self.name_, self.done = hub, name, False
        self.sent: list[int] = []
        self.reported = 0
        self.desired: list[dict] = []

    def listen(self, client) -> None:
        client.on_twin_desired_properties_patch_received = self.desired.append

    def run(self):
        device = Insistent(lambda: self.hub.device(self.name_, self.key, connection_retry_interval=1), self.listen)
        number = 0
        while not self.done:
            number += 1
            device.until_done(lambda client: client.send_message(str(number)))
            self.sent.append(number)
            if number % 5 == 0:
                device.until_done(lambda client: client.patch_twin_reported_properties({"count": number}))
                self.reported = number
        device.client.shutdown()


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_lose_nothing_acknowledged(tmp_path, seed):
    rng = random.Random(seed)
    hub = IotHub(tmp_path).start()
    speakers = [Speaker(hub, f"d{i}") for i in range(3)]
    try:
        for speaker in speakers:
            speaker.start()
        for speaker in speakers:
            wait_until("first messages", 30, lambda: len(speaker.sent) > 10)
        versions = {}
        for kill in range(8):
            time.sleep(rng.uniform(0.02, 0.6))
            acknowledged = {s.name_: (list(s.sent), s.reported) for s in speakers}
            hub.kill()
            hub.start()
            for speaker in speakers:
                sent, reported = acknowledged[speaker.name_]
                there = {int(message["body"]) for message in hub.telemetry(speaker.name_)}
                assert set(sent) <= there, sorted(set(sent) - there)[:10]
                assert hub.reported(speaker.name_).get("count", 0) >= reported
                twin = hub.patch_desired(speaker.name_, {"kill": kill})
                version = twin["properties"]["desired"]["$version"]
                assert version > versions.get(speaker.name_, 1)
                versions[speaker.name_] = version
        before = [len(s.sent) for s in speakers]
        for speaker, count in zip(speakers, before):
            wait_until("messages after the last kill", 60, lambda: len(speaker.sent) > count + 5)
            # Its session and subscriptions were kept, or the whole twin was fetched at the reconnect.
            hub.patch_desired(speaker.name_, {"last": True})
            wait_until("the last desired patch", 30, lambda: any("last" in patch for patch in speaker.desired))
            speaker.done = True
            speaker.join(30)
            assert not speaker.is_alive()
            bodies = [int(message["body"]) for message in hub.telemetry(speaker.name_)]
            assert set(bodies) == set(range(1, max(bodies) + 1))
            # A repeat is only ever a repeat: never more of them than kills, and the first copies are in order.
            firsts = list(dict.fromkeys(bodies))
            assert firsts == sorted(firsts)
            assert len(bodies) - len(firsts) <= 2 * 8
    finally:
        for speaker in speakers:
            speaker.done = True
        assert hub.stop() == 0


def test_identities_and_policies_survive_half_made_ones(tmp_path):
    """Devices made while the hub is killed are whole, with their system modules and twins, or not there."""
    hub = IotHub(tmp_path).start()
    policy = hub.connection_string()
    made: list[str] = []
    stop = threading.Event()

    def make():
        number = 0
        while not stop.is_set():
            number += 1
            try:
                hub.create(f"edge-{number}", capabilities={"iotEdge": True})
                made.append(f"edge-{number}")
            except OSError:
                return
    for _ in range(4):
        stop.clear()
        before = len(made)
        maker = threading.Thread(target=make)
        made.clear()
        maker.start()
        wait_until("devices", 20, lambda: len(made) > 20)
        hub.kill()
        stop.set()
        maker.join(20)
        hub.start()
        status, devices = hub.api("GET", "/devices?top=1000")
        assert status == 200 and {d["deviceId"] for d in devices} >= set(made) and before >= 0
        for device in devices:
            name = device["deviceId"]
            assert [m["moduleId"] for m in hub.api("GET", f"/devices/{name}/modules")[1]] == ["$edgeAgent", "$edgeHub"]
            for address in (name, f"{name}/$edgeAgent", f"{name}/$edgeHub"):
                assert hub.reported(address) == {}
            assert hub.api("DELETE", f"/devices/{name}")[0] == 204
        assert json.dumps(hub.api("GET", "/devices")[1]) == "[]"
    assert hub.connection_string() == policy
    assert hub.stop() == 0
