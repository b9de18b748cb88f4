"""azure-storage-blob, unmodified: the Archive tier and the ways back from it."""
import time

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, StandardBlobTier

from blob_support import own_hub, send

HOT, COOL, ARCHIVE = StandardBlobTier.HOT, StandardBlobTier.COOL, StandardBlobTier.ARCHIVE
ARCHIVED = (409, "BlobArchived")


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def state(blob) -> tuple[str, str | None, str | None]:
    found = blob.get_blob_properties()
    return found.blob_tier, found.archive_status, found.rehydrate_priority


def wait_until_in(tier: str, blob) -> None:
    deadline = time.monotonic() + 30
    while state(blob) != (tier, None, None):
        assert time.monotonic() < deadline, state(blob)
        time.sleep(0.1)


@pytest.fixture(scope="module")
def hub(hub, tmp_path_factory):
    """A hub of its own, on which a standard rehydration outlasts the tests."""
    with own_hub(hub, tmp_path_factory.mktemp("archive"), "storage: {rehydration: 1h}\n") as own:
        yield own


def test_nothing_of_it_is_read_or_changed(container):
    blob = container.upload_blob("b", b"data", metadata={"m": "1"})
    blob.set_standard_blob_tier(ARCHIVE)
    assert state(blob) == ("Archive", None, None) and blob.get_blob_properties().metadata == {"m": "1"}
    assert [(b.blob_tier, b.archive_status) for b in container.list_blobs()] == [("Archive", None)]
    for call in (lambda: blob.download_blob(), lambda: blob.download_blob(0, 1), lambda: blob.upload_blob(b"new", overwrite=True), lambda: blob.create_snapshot(),
                 lambda: blob.commit_block_list([]), lambda: blob.set_blob_metadata({"m": "2"}), lambda: blob.set_http_headers()):
        assert code(call) == ARCHIVED
    blob.set_blob_tags({"k": "v"})
    assert blob.get_blob_tags() == {"k": "v"}
    blob.delete_blob()


def test_uploaded_into_it(container):
    blob = container.upload_blob("b", b"data", standard_blob_tier=ARCHIVE)
    assert state(blob) == ("Archive", None, None) and code(blob.download_blob) == ARCHIVED


def test_it_comes_back(account, container):
    blob = container.upload_blob("b", b"data", standard_blob_tier=ARCHIVE)
    answer = send(account, "PUT", "/tests/b?comp=tier", headers={"x-ms-access-tier": "Cool"})
    assert answer.status == 202
    assert state(blob) == ("Archive", "rehydrate-pending-to-cool", "Standard") and code(blob.download_blob) == ARCHIVED
    assert [(b.blob_tier, b.archive_status) for b in container.list_blobs()] == [("Archive", "rehydrate-pending-to-cool")]
    assert code(lambda: blob.set_standard_blob_tier(HOT)) == (409, "BlobBeingRehydrated")
    blob.set_standard_blob_tier(COOL, rehydrate_priority="High")
    wait_until_in("Cool", blob)
    assert blob.download_blob().readall() == b"data"


def test_it_comes_back_over_a_restart(hub, account, container):
    container.upload_blob("b", b"data", standard_blob_tier=ARCHIVE).set_standard_blob_tier(HOT)
    hub.kill()
    hub.start()
    with BlobServiceClient(f"{hub.blob_url}/{account.name}", credential=account.key) as client:
        blob = client.get_blob_client("tests", "b")
        assert state(blob) == ("Archive", "rehydrate-pending-to-hot", "Standard")
        blob.set_standard_blob_tier(HOT, rehydrate_priority="High")
        wait_until_in("Hot", blob)
        assert blob.download_blob().readall() == b"data"


def test_a_copy_comes_back(container):
    source = container.upload_blob("source", b"data", standard_blob_tier=ARCHIVE)
    slow, fast = container.get_blob_client("slow"), container.get_blob_client("fast")
    assert slow.start_copy_from_url(source.url, standard_blob_tier=COOL)["copy_status"] == "success"
    fast.start_copy_from_url(source.url, standard_blob_tier=HOT, rehydrate_priority="High")
    assert state(slow) == ("Archive", "rehydrate-pending-to-cool", "Standard")
    wait_until_in("Hot", fast)
    assert fast.download_blob().readall() == b"data" and state(source) == ("Archive", None, None)
    refused = container.get_blob_client("refused")
    assert code(lambda: refused.start_copy_from_url(source.url, requires_sync=True)) == ARCHIVED
    assert code(lambda: refused.upload_blob_from_url(source.url)) == ARCHIVED
    assert code(lambda: refused.start_copy_from_url(source.url, standard_blob_tier=ARCHIVE)) == ARCHIVED
    assert code(lambda: refused.stage_block_from_url("YQ==", source.url)) == ARCHIVED
    assert not refused.exists()


def test_bad_priority(account, container):
    container.upload_blob("b", b"data", standard_blob_tier=ARCHIVE)
    answer = send(account, "PUT", "/tests/b?comp=tier", headers={"x-ms-access-tier": "Hot", "x-ms-rehydrate-priority": "Soon"})
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")
