"""Bytes that changed on the disk are never served, and are told; a full disk refuses writes alone. With the unmodified client."""
import json
import os
import subprocess
import sys
import time

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from conftest import BIN, Hub

sys.path.insert(0, str(BIN.parents[2] / "tests/faults"))
MIB = 1 << 20


def cli(hub: Hub, *arguments) -> tuple[int, dict]:
    done = subprocess.run([BIN / "holdfast", "storage", *arguments, "--hub", f"http://{hub.run['http']}", "--token-file", hub.data / "token", "-o", "json"],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def own_hub(tmp_path):
    hub = Hub(tmp_path).start()
    yield hub
    hub.stop()


def spoil(hub: Hub, content: bytes, at: int) -> None:
    for path in (hub.data / "content").rglob("*"):
        if path.is_file():
            found = path.read_bytes().find(content[:64])
            if found >= 0:
                with open(path, "r+b") as file:
                    os.pwrite(file.fileno(), bytes([content[at] ^ 4]), found + at)
                return
    raise AssertionError("the content is not found on the disk")


def test_damage_is_refused_told_and_kept(own_hub):
    account = own_hub.create_account()
    container = account.client(retry_total=0).create_container("damage")
    small, large, good = os.urandom(5000), os.urandom(3 * MIB), os.urandom(2 * MIB)
    for name, content in (("small", small), ("large", large), ("good", good)):
        container.upload_blob(name, content)
    assert cli(own_hub, "check")[0] == 0
    spoil(own_hub, small, 100)
    spoil(own_hub, large, 2 * MIB + 5)

    with pytest.raises(HttpResponseError) as refused:
        container.download_blob("small")
    assert (refused.value.status_code, refused.value.error_code) == (500, "InternalError")
    with pytest.raises(AzureError):  # the head is out: the connection is cut before the damaged block
        container.download_blob("large", max_concurrency=1).readall()
    block = 2 * MIB
    assert container.download_blob("large", offset=0, length=block).readall() == large[:block]
    assert container.download_blob("large", offset=block + 65536).readall() == large[block + 65536:]
    with pytest.raises(HttpResponseError) as refused:
        container.download_blob("large", offset=block, length=10)
    assert refused.value.status_code == 500
    sections = own_hub.api("GET", "/api/v1/overview")[1]["sections"]
    rows = next(section["rows"] for section in sections if section["name"] == "damage")
    assert len({row["content"] for row in rows}) == 2 and all(row["what"] for row in rows), rows
    assert container.download_blob("good").readall() == good
    check = subprocess.run([BIN / "holdfast", "check", "--data", own_hub.data.parent, "--token-file", own_hub.data / "token", "-o", "json"], capture_output=True, text=True, timeout=60)
    told = next(row for row in json.loads(check.stdout) if row["check"] == "stored data")
    assert (check.returncode, told["state"]) == (1, "fail") and "2 damaged places" in told["detail"], told

    status, found = cli(own_hub, "check")
    assert (status, found["damaged"], found["missing"]) == (1, 2, 0)
    status, scrub = cli(own_hub, "scrub")
    assert (status, scrub["state"], scrub["damaged"]) == (1, "done", 2)
    assert scrub["bytes"] == scrub["total_bytes"] == 5000 + 5 * MIB
    status, repaired = cli(own_hub, "repair", "--yes")
    assert (status, repaired["quarantined"]) == (0, 2)
    assert container.download_blob("large", offset=0, length=block).readall() == large[:block]
    usage = cli(own_hub, "usage")[1]
    assert usage["store"]["live_bytes"] == 5000 + 5 * MIB
    assert usage["store"]["quarantine_bytes"] > 3 * MIB
    assert [(row["container"], row["blobs"], row["size"]) for row in usage["containers"] if row["account"] == account.name] == [("damage", 3, 5000 + 5 * MIB)]
    container.upload_blob("large", large, overwrite=True)  # what is written anew is whole
    assert container.download_blob("large").readall() == large


def test_a_full_disk_refuses_writes_alone(tmp_path):
    from disk import Disk, why_not
    if why_not():
        pytest.skip(why_not())
    disk = Disk(tmp_path, 96)
    disk.mount()
    config = tmp_path / "hub.yaml"
    config.write_text("storage: {reserve: 4MiB}\n")
    hub = Hub(disk.at, config).start()
    try:
        account = hub.create_account()
        container = account.client(retry_total=0).create_container("full")
        content = os.urandom(4 * MIB)
        kept = []
        with pytest.raises(HttpResponseError) as refused:
            for number in range(100):
                container.upload_blob(f"b{number}", content)
                kept.append(f"b{number}")
        assert (refused.value.status_code, refused.value.error_code) == (507, "InsufficientStorage")
        assert len(kept) > 5
        for name in kept:
            assert container.download_blob(name).readall() == content
        for name in kept:
            container.delete_blob(name)
        assert [blob.name for blob in container.list_blobs()] == []
        ballast = disk.at / "ballast"  # the disk is full to its last byte, the reserve too
        deadline = time.monotonic() + 60
        refused = None
        while refused is None:  # what was deleted is given back meanwhile
            with open(ballast, "ab") as file, pytest.raises(OSError):
                while True:
                    file.write(b"x" * MIB)
            try:
                container.upload_blob("small", b"x" * 100, overwrite=True)
                assert time.monotonic() < deadline
            except HttpResponseError as error:
                refused = error
        assert refused.status_code == 507
        ballast.unlink()
        deadline = time.monotonic() + 30  # ext4 gives freed blocks out after its next commit
        while True:  # no restart
            try:
                container.upload_blob("small", b"x" * 100, overwrite=True)
                break
            except HttpResponseError as still:
                assert still.error_code == "InsufficientStorage" and time.monotonic() < deadline
                time.sleep(0.05)
        assert container.download_blob("small").readall() == b"x" * 100
    finally:
        hub.stop()
        disk.close()
