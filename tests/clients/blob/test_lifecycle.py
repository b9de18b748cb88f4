"""Lifecycle rules of a hub, seen by azure-storage-blob, unmodified; tried and begun by the CLI."""
import json
import subprocess
import time

import pytest

from azure.storage.blob import ImmutabilityPolicy

from blob_support import own_hub, soon
from conftest import BIN

RULES = {"rules": [
    {"enabled": True, "name": "old-logs", "type": "Lifecycle", "definition": {
        "filters": {"blobTypes": ["blockBlob", "appendBlob"], "prefixMatch": ["tests/logs/"]},
        "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 0}}, "snapshot": {"delete": {"daysAfterCreationGreaterThan": 0}}}}},
    {"enabled": True, "name": "cool-data", "type": "Lifecycle", "definition": {
        "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["tests/data"], "blobIndexMatch": [{"name": "class", "op": "==", "value": "raw"}]},
        "actions": {"baseBlob": {"tierToCold": {"daysAfterModificationGreaterThan": 0}, "delete": {"daysAfterModificationGreaterThan": 30}}}}},
    {"enabled": False, "name": "never", "type": "Lifecycle", "definition": {
        "filters": {"blobTypes": ["blockBlob"]}, "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 0}}}}}]}


@pytest.fixture(scope="module")
def hub(hub, tmp_path_factory):
    """A hub of its own, beside the one that all share."""
    folder = tmp_path_factory.mktemp("lifecycle")
    (folder / "rules.json").write_text(json.dumps(RULES))
    with own_hub(hub, folder, "storage: {lifecycle: rules.json}\n") as own:
        yield own


def cli(hub, *arguments):
    done = subprocess.run([BIN / "holdfast", "storage", "lifecycle", *arguments, "--hub", f"http://{hub.run['http']}", "--token-file", hub.data / "token",
                           "-o", "json"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def filled(container):
    container.upload_blob("logs/1", b"1").create_snapshot()
    container.get_blob_client("logs/2").create_append_blob()
    container.upload_blob("logs/held", b"2").set_legal_hold(True)
    container.upload_blob("logs/kept", b"3").set_immutability_policy(ImmutabilityPolicy(expiry_time=soon(hours=1), policy_mode="Unlocked"))
    container.upload_blob("data/raw", b"4", tags={"class": "raw"})
    container.upload_blob("data/fine", b"5", tags={"class": "fine"})
    container.upload_blob("other", b"6")


def test_rules_are_shown_tried_and_done(hub, container):
    assert [(r["rule"], r["enabled"]) for r in cli(hub)] == [("old-logs", True), ("cool-data", True), ("never", False)]
    filled(container)
    names = lambda: [b.name for b in container.list_blobs()]
    before = names()
    tried = cli(hub, "--dry-run")
    assert {(s["blob"], s["action"], "snapshot" in s) for s in tried["steps"]} == {
        ("logs/1", "delete", True), ("logs/1", "delete", False), ("logs/2", "delete", False), ("data/raw", "tierToCold", False)}
    assert names() == before and container.get_blob_client("data/raw").get_blob_properties().blob_tier == "Hot"
    done = cli(hub, "--now", "--yes")
    assert (done["deleted"], done["tiered"], done["skipped"]) == (3, 1, 0)
    assert names() == ["data/fine", "data/raw", "logs/held", "logs/kept", "other"]
    assert list(container.list_blobs(name_starts_with="logs/1", include=["snapshots"])) == []
    assert container.get_blob_client("data/raw").get_blob_properties().blob_tier == "Cold"
    assert container.get_blob_client("data/fine").get_blob_properties().blob_tier == "Hot"
    assert container.download_blob("logs/held").readall() == b"2"
    container.get_blob_client("logs/held").set_legal_hold(False)
    assert [s["blob"] for s in cli(hub, "--now", "--yes")["steps"]] == ["logs/held"]


def test_the_background_does_it_too(hub, tmp_path):
    config = "storage: {lifecycle_every: 100ms, lifecycle: " + json.dumps(RULES) + "}\n"
    with own_hub(hub, tmp_path, config) as own, own.create_account().client() as service:
        container = service.create_container("tests")
        filled(container)
        deadline = time.monotonic() + 20
        while [b.name for b in container.list_blobs()] != ["data/fine", "data/raw", "logs/held", "logs/kept", "other"]:
            assert time.monotonic() < deadline, [b.name for b in container.list_blobs()]
            time.sleep(0.05)


def test_the_rules_are_checked(hub, tmp_path):
    file = tmp_path / "hub.yaml"
    (tmp_path / "bad.json").write_text('{"rules": [{"name": "r", "definition": {"filters": {"blobTypes": ["pageBlob"]}}}]}')
    for text, said in (("storage: {lifecycle: none.json}", "none.json"), ("storage: {lifecycle: bad.json}", "bad.json:1"),
                       ("storage: {lifecycle: {rules: [{name: r, definition: {}}]}}", "blobTypes"),
                       ("storage: {lifecycle_rate: -1}", "lifecycle_rate")):
        file.write_text(text)
        checked = subprocess.run([hub.process.args[0], "--check", "--config", file, "--data", tmp_path / "data"], capture_output=True, text=True, timeout=20)
        assert checked.returncode != 0 and said in checked.stderr, (text, checked.stderr)
