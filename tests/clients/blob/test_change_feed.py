"""The change feed, through the unmodified azure-storage-blob-changefeed."""
import contextlib
import datetime
import json
import time

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import StandardBlobTier
from azure.storage.blob.changefeed import ChangeFeedClient

from conftest import Hub


@pytest.fixture
def hub(tmp_path):
    config = tmp_path / "hub.yaml"
    config.write_text("storage:\n  change-feed: true\n  change-feed-delay: 1s\n  change-feed-retention: 168h\n")
    hub = Hub(tmp_path, config).start()
    yield hub
    if hub.process.poll() is None:
        assert hub.stop() == 0, (hub.folder / "hub.log").read_text()


def feed_of(account) -> ChangeFeedClient:
    return ChangeFeedClient(account.endpoint, credential=account.key)


def changes(account, count: int, **options) -> list[dict]:
    """All changes, once there are so many; the container is made with the first."""
    deadline, found = time.monotonic() + 30, []
    while len(found) < count and time.monotonic() < deadline:
        time.sleep(0.2)
        with contextlib.suppress(ResourceNotFoundError):
            found = list(feed_of(account).list_changes(**options))
    return found


def test_every_kind_of_change_in_order(hub):
    account = hub.create_account()
    with account.client() as service:
        container = service.create_container("tests")
        blob = container.get_blob_client("ä/1")
        blob.upload_blob(b"one", metadata={"a": "1"})
        etag = blob.get_blob_properties().etag.strip('"')
        blob.set_blob_metadata({"b": "2"})
        blob.set_standard_blob_tier(StandardBlobTier.COOL)
        snapshot = blob.create_snapshot()["snapshot"]
        blob.delete_blob(delete_snapshots="include")
        found = changes(account, 5)
        assert [(e["eventType"], e["data"]["api"]) for e in found] == [
            ("BlobCreated", "PutBlob"), ("BlobPropertiesUpdated", "SetBlobMetadata"), ("BlobTierChanged", "SetBlobTier"),
            ("BlobSnapshotCreated", "SnapshotBlob"), ("BlobDeleted", "DeleteBlob")]
        first = found[0]
        assert first["subject"] == "/blobServices/default/containers/tests/blobs/ä/1" and first["topic"].endswith("/" + account.name)
        assert first["data"]["etag"] == etag and first["data"]["contentLength"] == 3 and first["data"]["url"] == blob.url
        assert first["data"]["blobType"] == "BlockBlob" and first["data"]["requestId"]
        assert found[2]["data"]["previousInfo"] == {"PreviousTier": "Hot"} and found[2]["data"]["blobAccessTier"] == "Cool"
        assert found[3]["data"]["snapshot"][:26] == snapshot[:26]
        assert len({e["id"] for e in found}) == 5
        order = [e["data"]["sequencer"] for e in found]
        assert order == sorted(order)

        now = datetime.datetime.now(datetime.timezone.utc)
        assert len(list(feed_of(account).list_changes(start_time=now - datetime.timedelta(hours=1)))) == 5
        assert not list(feed_of(account).list_changes(start_time=now + datetime.timedelta(hours=2)))
        # In the layout that Azure documents.
        files = service.get_container_client("$blobchangefeed")
        names = [b.name for b in files.list_blobs()]
        assert "meta/segments.json" in names and sum(n.startswith("log/00/") and n.endswith("/00000.avro") for n in names) == 1
        segment = json.loads(files.download_blob(next(n for n in names if n.startswith("idx/"))).readall())
        assert segment["chunkFilePaths"][0].startswith("$blobchangefeed/log/00/") and segment["status"] == "Publishing"


def test_in_pages_and_on_from_a_token(hub):
    account = hub.create_account()
    with account.client() as service:
        container = service.create_container("tests")
        for number in range(25):
            container.upload_blob(f"{number}", b"x")
        assert len(changes(account, 25)) == 25
        pages = feed_of(account).list_changes(results_per_page=10).by_page()
        first = [e["id"] for e in next(pages)]
        assert len(first) == 10
        for number in range(5):
            container.upload_blob(f"more{number}", b"x")
        everything = [e["id"] for e in changes(account, 30)]
        rest = feed_of(account).list_changes(results_per_page=100).by_page(continuation_token=pages.continuation_token)
        assert first + [e["id"] for page in rest for e in page] == everything and len(set(everything)) == 30


def test_read_only_and_out_of_sight(hub):
    account = hub.create_account()
    with account.client() as service:
        service.create_container("tests").upload_blob("a", b"x")
        assert len(changes(account, 1)) == 1
        assert [c.name for c in service.list_containers()] == ["tests"]
        files = service.get_container_client("$blobchangefeed")
        for refused in (files.delete_container, lambda: files.upload_blob("meta/segments.json", b"", overwrite=True),
                        lambda: files.delete_blob("meta/segments.json"), lambda: files.set_container_metadata({"a": "1"}),
                        lambda: files.get_blob_client("log/x").start_copy_from_url(service.get_blob_client("tests", "a").url),
                        lambda: files.delete_blobs("meta/segments.json")):
            with pytest.raises(HttpResponseError) as error:
                refused()
            assert error.value.status_code == 403 or "403" in str(error.value) or error.value.parts, error.value
        assert files.get_blob_client("meta/segments.json").exists()
        time.sleep(1.2)  # the feed does not tell of itself
        assert len(changes(account, 1)) == 1


def test_over_kills_each_change_is_there_once(hub):
    account = hub.create_account()
    with account.client() as service:
        service.create_container("tests")
    done = []
    for life in range(3):
        account.endpoint = f"{hub.blob_url}/{account.name}"
        with account.client() as service:
            container = service.get_container_client("tests")
            for number in range(60):
                container.upload_blob(f"{life}-{number}", b"x")
                done.append(f"{life}-{number}")
                if number % 20 == 0:
                    time.sleep(0.4)
        hub.kill()
        hub.start()
    account.endpoint = f"{hub.blob_url}/{account.name}"
    found = [e["subject"].rpartition("/")[2] for e in changes(account, len(done))]
    assert found == done


def test_off_unless_it_is_turned_on(tmp_path):
    (tmp_path / "plain").mkdir()
    plain = Hub(tmp_path / "plain").start()
    try:
        account = plain.create_account()
        with account.client() as service:
            service.create_container("tests").upload_blob("a", b"x")
            assert not service.get_container_client("$blobchangefeed").exists()
    finally:
        plain.stop()
