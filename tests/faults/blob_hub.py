"""A hub of the blob campaigns: one process over a folder, on the same ports through all its lives."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

from azure.storage.blob import BlobServiceClient
from loop import BIN, free_address


class Hub:
    def __init__(self, folder: pathlib.Path, programs: pathlib.Path = BIN, environment: dict[str, str] | None = None):
        self.data, self.programs, self.environment = folder / "hub", programs, {**os.environ, **(environment or {})}
        self.log = folder.parent / f"{folder.name}.log"  # beside the folder: its disk may be cut or full
        self.http, self.blob = free_address("127.0.0.1"), free_address("127.0.0.1")
        self.process: subprocess.Popen | None = None
        self.key = ""

    def start(self) -> "Hub":
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "holdfast-hub", "--data", self.data, "--listen-http", self.http, "--listen-blob", self.blob],
                stdout=log, stderr=log, env=self.environment)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                if json.loads((self.data / "run.json").read_text())["pid"] == self.process.pid:
                    if not self.key:
                        self.make_account()
                    return self
            time.sleep(0.01)
        raise AssertionError(f"the hub did not come up; the end of its log: {self.log.read_text()[-2000:]}")

    def make_account(self) -> None:
        token = (self.data / "token").read_text().strip()
        for method, path, body in (("POST", "", b'{"name": "faults"}'), ("GET", "/faults/keys", None)):
            request = urllib.request.Request(f"http://{self.http}/api/v1/storage/accounts{path}", body, {"Authorization": f"Bearer {token}"}, method=method)
            with urllib.request.urlopen(request, timeout=20) as answer:
                document = json.load(answer)
        self.key = document["keys"][0]["value"]

    def client(self) -> BlobServiceClient:
        """The unmodified client; nothing is repeated, so that each answer is the first."""
        return BlobServiceClient(f"http://{self.blob}/faults", credential={"account_name": "faults", "account_key": self.key},
                                 retry_total=0, connection_timeout=2, read_timeout=20)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def stop(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            return -1
