"""A hub with its TLS doors on an address of its own, for SDKs whose ports are fixed: 8883 for MQTT."""
import json
import pathlib
import queue
import random
import subprocess
import threading
import time
import urllib.parse

from azure.iot.device import IoTHubDeviceClient, IoTHubModuleClient
from azure.iot.device.exceptions import ClientError
from conftest import BIN, Hub

OWNER = "iothubowner"


class IotHub(Hub):
    """As Hub; the device SDKs reach it at `host`, the service SDK at `service_host`."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        # All of 127/8 is loopback: so tests that run side by side do not meet on port 8883.
        self.blob_listen = "127.0.0.1:0"
        self.host = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"

    def start(self) -> "IotHub":
        command = [BIN / "holdfast-hub", "--data", self.data, "--listen-http", "127.0.0.1:0", "--listen-blob", self.blob_listen,
                   "--listen-https", f"{self.host}:8443", "--listen-mqtt", f"{self.host}:8883"]
        with open(self.folder / "hub.log", "ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        wait_until("ready hub", 30, self.ready)
        return self

    def ready(self) -> bool:
        assert self.process.poll() is None, (self.folder / "hub.log").read_text()
        try:
            self.run = json.loads((self.data / "run.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return self.run["pid"] == self.process.pid

    @property
    def service_host(self) -> str:
        return f"{self.host}:8443"

    @property
    def ca(self) -> str:
        return (self.data / "pki/ca.crt").read_text()

    def connection_string(self) -> str:
        status, policy = self.api("GET", f"/api/v1/policies/{OWNER}")
        assert status == 200, policy
        return f"HostName={self.service_host};SharedAccessKeyName={OWNER};SharedAccessKey={policy['primaryKey']}"

    def create(self, address: str, **fields) -> dict:
        """A device ("d") or a module ("d/m"); answers its identity with its keys."""
        status, made = self.api("PUT", path_of(address), fields)
        assert status == 200, made
        return made

    def device(self, name: str, key: str, **options) -> IoTHubDeviceClient:
        text = f"HostName={self.host};DeviceId={name};SharedAccessKey={key}"
        return IoTHubDeviceClient.create_from_connection_string(text, server_verification_cert=self.ca, **options)

    def module(self, address: str, key: str, **options) -> IoTHubModuleClient:
        device, module = address.split("/")
        text = f"HostName={self.host};DeviceId={device};ModuleId={module};SharedAccessKey={key}"
        return IoTHubModuleClient.create_from_connection_string(text, server_verification_cert=self.ca, **options)

    def telemetry(self, device: str, after: int = 0) -> list[dict]:
        found: list[dict] = []
        while True:
            status, page = self.api("GET", f"/api/v1/devices/{device}/telemetry?after={after}&limit=1000")
            assert status == 200, page
            if not page["messages"]:
                return found
            found += page["messages"]
            after = page["last"]

    def patch_desired(self, address: str, desired: dict) -> dict:
        status, twin = self.api("PATCH", path_of(address, "twins"), {"properties": {"desired": desired}})
        assert status == 200, twin
        return twin

    def reported(self, address: str) -> dict:
        status, twin = self.api("GET", path_of(address, "twins"))
        assert status == 200, twin
        return {k: v for k, v in twin["properties"]["reported"].items() if not k.startswith("$")}


class Insistent:
    """A client of the device SDK whose calls are repeated until they are acknowledged.

    When the server is killed while paho's network thread writes, ssl.SSLEOFError ends that thread and nobody is told: the SDK goes on
    waiting for ever. What runs a device would start it anew after a while of silence, and so does this."""

    SILENCE = 10  # seconds

    def __init__(self, make, listen):
        """`make` makes a client, `listen` gives it its handlers, which the SDK asks the server for."""
        self.make, self.listen = make, listen
        self.client = make()
        self.until_done(listen)

    def until_done(self, call) -> None:
        while True:
            answer: queue.Queue = queue.Queue()
            threading.Thread(target=self.attempt, args=(call, self.client, answer), daemon=True).start()
            try:
                error = answer.get(timeout=self.SILENCE)
            except queue.Empty:
                threading.Thread(target=self.client.shutdown, daemon=True).start()
                self.client = self.make()
                if call != self.listen:
                    self.until_done(self.listen)
                continue
            if error is None:
                return
            if not isinstance(error, ClientError):
                raise error
            time.sleep(0.05)

    @staticmethod
    def attempt(call, client, answer: queue.Queue) -> None:
        try:
            call(client)
            answer.put(None)
        except Exception as error:  # noqa: BLE001: handed to who waits
            answer.put(error)


def path_of(address: str, what: str = "devices") -> str:
    parts = [urllib.parse.quote(part, safe="") for part in address.split("/")]
    return f"/{what}/{parts[0]}" + (f"/modules/{parts[1]}" if len(parts) > 1 else "")


def wait_until(what: str, seconds: float, check):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError(f"after {seconds:.0f} s still no {what}")
