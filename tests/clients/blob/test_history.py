"""azure-storage-blob, unmodified: snapshots, soft delete, versions, and containers that come back."""
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobType, ContentSettings, RetentionPolicy, StandardBlobTier

from blob_support import send, soon


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def names(container, *include, **more):
    return [(b.name, bool(b.snapshot), bool(b.deleted)) for b in container.list_blobs(include=list(include), **more)]


@pytest.fixture
def kept(service):
    """Deleted blobs are kept for five days."""
    service.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=True, days=5))


def test_a_snapshot_is_what_the_blob_was(account, container):
    blob = container.upload_blob("b", b"one", metadata={"m": "1"}, tags={"t": "1"},
                                 content_settings=ContentSettings(content_type="text/plain"))
    taken = blob.create_snapshot()
    assert taken["snapshot"] and taken["etag"] == blob.get_blob_properties().etag
    with_metadata = blob.create_snapshot(metadata={"m": "2"})
    assert with_metadata["snapshot"] > taken["snapshot"]
    blob.upload_blob(b"two", overwrite=True)
    old = container.get_blob_client("b", snapshot=taken["snapshot"])
    assert old.download_blob().readall() == b"one" and old.download_blob(1, 1).readall() == b"n"
    properties = old.get_blob_properties()
    assert properties.snapshot == taken["snapshot"] and properties.metadata == {"m": "1"}
    assert properties.content_settings.content_type == "text/plain" and properties.size == 3
    assert old.get_blob_tags() == {"t": "1"}
    assert container.get_blob_client("b", snapshot=with_metadata["snapshot"]).get_blob_properties().metadata == {"m": "2"}
    old.set_standard_blob_tier(StandardBlobTier.COOL)
    assert old.get_blob_properties().blob_tier == "Cool" and blob.get_blob_properties().blob_tier == "Hot"
    assert blob.download_blob().readall() == b"two"
    # Back to it: a copy over the blob itself.
    blob.start_copy_from_url(old.url)
    assert blob.download_blob().readall() == b"one" and blob.get_blob_properties().metadata == {"m": "1"}
    # What a snapshot can not have done to it.
    assert code(lambda: old.set_blob_tags({"t": "2"}))[0] == 400
    answer = send(account, "PUT", f"/tests/b?comp=metadata&snapshot={taken['snapshot']}", headers={"x-ms-meta-a": "1"})
    assert (answer.status, answer.code) == (400, "InvalidQueryParameterValue")


def test_bad_snapshots(account, container):
    blob = container.upload_blob("b", b"one")
    assert code(container.get_blob_client("none").create_snapshot) == (404, "BlobNotFound")
    assert code(lambda: blob.create_snapshot(if_modified_since=soon(days=1))) == (412, "ConditionNotMet")
    for bad in ("yesterday", "", "2026-13-01T00:00:00Z", "1970-01-01T00:00:00.0000000Z"):
        for method in ("GET", "DELETE", "HEAD"):
            answer = send(account, method, f"/tests/b?snapshot={bad}")
            assert (answer.status, answer.code) == (400, "InvalidQueryParameterValue"), (bad, method)
    assert send(account, "GET", "/tests/b?snapshot=2026-01-01T00:00:00.0000000Z").code == "BlobNotFound"
    both = "snapshot=2026-01-01T00:00:00Z&versionid=2026-01-01T00:00:00Z"
    assert send(account, "DELETE", f"/tests/b?{both}").status == 400
    answer = send(account, "DELETE", "/tests/b", headers={"x-ms-delete-snapshots": "all"})
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")
    assert blob.download_blob().readall() == b"one"


def test_a_blob_with_snapshots_is_deleted_with_them(container):
    blob = container.upload_blob("b", b"one")
    taken = [blob.create_snapshot()["snapshot"] for _ in range(3)]
    assert code(blob.delete_blob) == (409, "SnapshotsPresent")
    container.get_blob_client("b", snapshot=taken[1]).delete_blob()
    assert [b.snapshot for b in container.list_blobs(include=["snapshots"])] == [taken[0], taken[2], None]
    with pytest.raises(ResourceNotFoundError):
        container.get_blob_client("b", snapshot=taken[1]).get_blob_properties()
    blob.delete_blob(delete_snapshots="only")
    assert names(container, "snapshots") == [("b", False, False)]
    blob.create_snapshot()
    blob.delete_blob(delete_snapshots="include")
    assert names(container, "snapshots") == []


def test_snapshots_in_pages_and_under_prefixes(container):
    for name in ("a", "d/1", "d/2", "z"):
        blob = container.upload_blob(name, b"x")
        for _ in range(3):
            blob.create_snapshot()
    whole = [(b.name, b.snapshot) for b in container.list_blobs(include=["snapshots"])]
    assert len(whole) == 16 and whole == sorted(whole, key=lambda it: (it[0], it[1] or "~"))
    for size in (1, 3, 5):
        assert [(b.name, b.snapshot) for b in container.list_blobs(include=["snapshots"], results_per_page=size)] == whole
    assert sorted(b.name for b in container.walk_blobs(include=["snapshots"], delimiter="/")) == ["a"] * 4 + ["d/"] + ["z"] * 4
    assert len(list(container.list_blobs())) == 4


def test_blocks_that_were_never_committed(container):
    container.upload_blob("b", b"x")
    container.get_blob_client("a").stage_block("AAAA", b"data")
    container.get_blob_client("b").stage_block("AAAA", b"data")
    assert [b.name for b in container.list_blobs()] == ["b"]
    found = list(container.list_blobs(include=["uncommittedblobs"]))
    assert [(b.name, b.size) for b in found] == [("a", 0), ("b", 1)]


def test_a_deleted_blob_comes_back(service, container, kept):
    policy = service.get_service_properties()["delete_retention_policy"]
    assert policy.enabled and policy.days == 5
    blob = container.upload_blob("b", b"one", metadata={"m": "1"}, tags={"t": "1"})
    blob.create_snapshot()
    blob.delete_blob(delete_snapshots="include")
    assert code(blob.get_blob_properties)[0] == 404 and code(blob.delete_blob) == (404, "BlobNotFound")
    assert names(container) == []
    gone = next(iter(container.list_blobs(include=["deleted"])))
    assert gone.deleted and gone.deleted_time and gone.remaining_retention_days == 5 and not gone.snapshot
    assert list(service.find_blobs_by_tags("t='1'")) == []
    blob.undelete_blob()
    assert blob.download_blob().readall() == b"one" and blob.get_blob_properties().metadata == {"m": "1"}
    assert names(container, "snapshots", "deleted") == [("b", True, False), ("b", False, False)]
    assert [b.name for b in service.find_blobs_by_tags("t='1'")] == ["b"]
    blob.undelete_blob()  # of what is there: nothing happens
    assert code(container.get_blob_client("never").undelete_blob) == (404, "BlobNotFound")


def test_an_overwritten_blob_comes_back_as_a_snapshot(container, kept):
    blob = container.upload_blob("b", b"one")
    blob.upload_blob(b"two", overwrite=True)
    assert names(container, "snapshots") == [("b", False, False)]
    assert names(container, "snapshots", "deleted") == [("b", True, True), ("b", False, False)]
    blob.undelete_blob()
    taken = next(iter(container.list_blobs(include=["snapshots"]))).snapshot
    blob.start_copy_from_url(container.get_blob_client("b", snapshot=taken).url)
    assert blob.download_blob().readall() == b"one"


def test_append_and_page_blobs_come_back(container, kept):
    log, disk = container.get_blob_client("log"), container.get_blob_client("disk")
    log.create_append_blob()
    for piece in (b"one", b"two"):
        log.append_block(piece)
    taken = log.create_snapshot()["snapshot"]
    log.append_block(b"three")
    disk.create_page_blob(2048)
    disk.upload_page(b"x" * 512, offset=512, length=512)
    saved = disk.create_snapshot()["snapshot"]
    disk.upload_page(b"y" * 1024, offset=0, length=1024)
    old = container.get_blob_client("disk", snapshot=saved)
    assert old.download_blob().readall() == bytes(512) + b"x" * 512 + bytes(1024)
    assert [(r["start"], r["end"]) for r in old.get_page_ranges()[0]] == [(512, 1023)]
    for blob in (log, disk):
        blob.delete_blob(delete_snapshots="include")
        blob.undelete_blob()
    log.append_block(b"!")
    assert log.download_blob().readall() == b"onetwothree!"
    assert container.get_blob_client("log", snapshot=taken).download_blob().readall() == b"onetwo"
    assert disk.get_blob_properties().blob_type == BlobType.PageBlob
    assert disk.download_blob().readall() == b"y" * 1024 + bytes(1024)
    assert old.download_blob().readall() == bytes(512) + b"x" * 512 + bytes(1024)


def test_bad_retention(service):
    with pytest.raises(HttpResponseError) as error:
        service.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=True, days=366))
    assert (error.value.status_code, error.value.error_code) == (400, "InvalidXmlDocument")
