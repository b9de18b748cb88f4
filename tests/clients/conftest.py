"""A real hub for the client tests: started once, on free ports, with a data directory of its own."""
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request
import uuid

import pytest
from azure.storage.blob import BlobServiceClient

BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", pathlib.Path(__file__).parents[2] / "build/release/bin"))


class Hub:
    def __init__(self, folder: pathlib.Path, config: pathlib.Path | None = None):
        self.folder, self.data = folder, folder / "hub"
        self.more = ["--config", config] if config else []
        self.process = None

    def start(self) -> "Hub":
        command = [BIN / "holdfast-hub", "--data", self.data, "--listen-http", "127.0.0.1:0", "--listen-blob", "127.0.0.1:0", *self.more]
        with open(self.folder / "hub.log", "ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.run = json.loads((self.data / "run.json").read_text())
                if self.run["pid"] == self.process.pid:
                    return self
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise AssertionError(f"no ready hub; its log: {(self.folder / 'hub.log').read_text()}")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def blob_url(self) -> str:
        return f"http://{self.run['blob']}"

    def api(self, method: str, path: str, document=None, token: str | None = None, headers: dict[str, str] | None = None):
        """One call of the hub's API; returns (status, parsed body)."""
        headers = {"Authorization": f"Bearer {token or (self.data / 'token').read_text().strip()}", **(headers or {})}
        body = json.dumps(document).encode() if document is not None else None
        request = urllib.request.Request(f"http://{self.run['http']}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else None

    def create_account(self) -> "Account":
        name = "t" + uuid.uuid4().hex[:12]
        status, made = self.api("POST", "/api/v1/storage/accounts", {"name": name})
        assert status == 201 and made["name"] == name, made
        status, keys = self.api("GET", f"/api/v1/storage/accounts/{name}/keys")
        assert status == 200
        return Account(name, made["endpoint"], [key["value"] for key in keys["keys"]])


class Account:
    def __init__(self, name: str, endpoint: str, keys: list[str]):
        self.name, self.endpoint, self.keys = name, endpoint, keys

    @property
    def key(self) -> str:
        return self.keys[0]

    def client(self, credential=None, **options) -> BlobServiceClient:
        """The unmodified client; failures are not repeated, so that each test sees the first answer."""
        options.setdefault("retry_total", 0)
        return BlobServiceClient(self.endpoint, credential=credential or self.key, **options)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes over ten seconds; run by its own name or -m slow")


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    if not (BIN / "holdfast-hub").exists():
        pytest.fail(f"there is no holdfast-hub in {BIN}; build it first, or set HOLDFAST_BIN")
    hub = Hub(tmp_path_factory.mktemp("hub")).start()
    yield hub
    assert hub.stop() == 0, (hub.folder / "hub.log").read_text()
    assert not (hub.data / "run.json").exists()


@pytest.fixture
def account(hub) -> Account:
    return hub.create_account()


@pytest.fixture
def service(account):
    with account.client() as client:
        yield client


@pytest.fixture
def container(service):
    made = service.get_container_client("tests")
    made.create_container()
    return made


@pytest.fixture
def connection_string(account) -> str:
    return (f"DefaultEndpointsProtocol=http;AccountName={account.name};AccountKey={account.key};"
            f"BlobEndpoint={account.endpoint};")
