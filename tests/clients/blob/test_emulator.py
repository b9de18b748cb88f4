"""The emulators' account, whose key all the world knows: on loopback, and where a flag asks for it."""
import socket
import subprocess

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import BlobServiceClient
from conftest import BIN, Hub

NAME = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def client(hub: Hub) -> BlobServiceClient:
    text = f"DefaultEndpointsProtocol=http;AccountName={NAME};AccountKey={KEY};BlobEndpoint={hub.blob_url}/{NAME};"
    return BlobServiceClient.from_connection_string(text, retry_total=0)


def test_only_where_it_is_asked_for(tmp_path):
    hub = Hub(tmp_path)
    hub.more = ["--emulator-account"]
    hub.start()
    with client(hub) as service:
        service.create_container("tests").upload_blob("b", b"kept")
    assert hub.stop() == 0
    hub.more = []  # the key opens nothing, though what it made is there
    hub.start()
    with client(hub) as service, pytest.raises((ClientAuthenticationError, HttpResponseError)) as refused:
        service.get_blob_client("tests", "b").download_blob()
    assert refused.value.status_code == 403
    assert hub.stop() == 0
    hub.more = ["--emulator-account"]
    hub.start()
    with client(hub) as service:
        assert service.get_blob_client("tests", "b").download_blob().readall() == b"kept"
        status, _ = hub.api("DELETE", f"/api/v1/storage/accounts/{NAME}")
        assert status == 404 or status == 409
    assert hub.stop() == 0


def test_a_name_that_is_taken_is_told(tmp_path):
    hub = Hub(tmp_path).start()
    assert hub.api("POST", "/api/v1/storage/accounts", {"name": NAME})[0] == 201
    assert hub.stop() == 0
    done = subprocess.run([BIN / "holdfast-hub", "--data", hub.data, "--listen-http", "127.0.0.1:0", "--listen-blob", "127.0.0.1:0", "--emulator-account"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and f"'{NAME}' exists with keys of its own" in done.stderr


def test_never_beyond_loopback(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for more in (["--listen-blob-https", f"0.0.0.0:{port}"], ["--listen-blob", f"0.0.0.0:{port}"]):
        done = subprocess.run([BIN / "holdfast-hub", "--data", tmp_path / "hub", "--emulator-account", *more], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and "not loopback" in done.stderr
