"""azure-storage-blob, unmodified: containers, blobs, blocks, ranges, listing, metadata, conditions."""
import base64
import hashlib
import os
import random

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceModifiedError,
                                   ResourceNotFoundError)
from azure.storage.blob import BlobAnalyticsLogging, BlobBlock, ContentSettings, CorsRule, Metrics, RetentionPolicy, StaticWebsite

MIB = 1 << 20


def refused(error) -> tuple[int, str]:
    return error.value.status_code, error.value.error_code


def test_containers(service):
    one = service.create_container("one", metadata={"Site": "North", "line_2": "b c"})
    service.create_container("two")
    properties = one.get_container_properties()
    assert properties.metadata == {"Site": "North", "line_2": "b c"} and properties.etag.startswith('"0x')
    assert [c.name for c in service.list_containers()] == ["one", "two"]
    assert [c.name for c in service.list_containers(name_starts_with="tw")] == ["two"]
    pages = [[c.name for c in page] for page in service.list_containers(results_per_page=1).by_page()]
    assert pages == [["one"], ["two"]]
    one.set_container_metadata({"a": "1"})
    assert one.get_container_properties().metadata == {"a": "1"}
    assert [c.metadata for c in service.list_containers(include_metadata=True)][0] == {"a": "1"}
    with pytest.raises(ResourceExistsError) as error:
        service.create_container("one")
    assert refused(error) == (409, "ContainerAlreadyExists")
    one.delete_container()
    assert not one.exists()
    with pytest.raises(ResourceNotFoundError) as error:
        one.upload_blob("a", b"x")
    assert refused(error) == (404, "ContainerNotFound")


@pytest.mark.parametrize("name", ["ab", "A-upper", "double--hyphen", "-front", "x" * 64])
def test_bad_container_names(service, name):
    with pytest.raises(HttpResponseError) as error:
        service.create_container(name)
    assert refused(error) == (400, "InvalidResourceName")


@pytest.mark.parametrize("size", [0, 1, 4096, 256 * 1024, 256 * 1024 + 1, 3 * MIB])
def test_upload_and_download(container, size):
    data = os.urandom(size)
    blob = container.get_blob_client("b.bin")
    made = blob.upload_blob(data)
    assert blob.download_blob().readall() == data
    properties = blob.get_blob_properties()
    assert properties.size == size and properties.etag == made["etag"] and properties.blob_type == "BlockBlob"
    assert properties.content_settings.content_md5 == bytearray(hashlib.md5(data).digest())


def test_chunked_upload_and_parallel_ranged_download(account, hub):
    small = dict(max_single_put_size=64 * 1024, max_block_size=64 * 1024, max_single_get_size=50_000, max_chunk_get_size=70_001)
    with account.client(**small) as service:
        container = service.create_container("tests")
        data = random.Random(1).randbytes(3 * MIB + 17)
        blob = container.upload_blob("big", data, max_concurrency=4)
        assert blob.download_blob(max_concurrency=4).readall() == data
        committed, uncommitted = blob.get_block_list("all")
        assert sum(block.size for block in committed) == len(data) and len(committed) == 49 and not uncommitted
        for offset, length in [(0, 1), (65535, 2), (65536, 65536), (len(data) - 1, 1), (1000, 200_000)]:
            assert blob.download_blob(offset=offset, length=length).readall() == data[offset:offset + length]
        assert blob.download_blob(offset=3 * MIB).readall() == data[3 * MIB:]
        with pytest.raises(HttpResponseError) as error:
            blob.download_blob(offset=len(data), length=1)
        assert refused(error) == (416, "InvalidRange")


def test_overwriting(container):
    blob = container.upload_blob("b", b"one")
    with pytest.raises(ResourceExistsError) as error:
        blob.upload_blob(b"two")
    assert refused(error) == (409, "BlobAlreadyExists")
    before = blob.get_blob_properties()
    blob.upload_blob(b"three!", overwrite=True)
    after = blob.get_blob_properties()
    assert blob.download_blob().readall() == b"three!" and after.etag != before.etag
    assert after.creation_time == before.creation_time


def test_blocks(container):
    blob = container.get_blob_client("blocks")
    for i in range(4):
        blob.stage_block(f"block-{i:03}", bytes([65 + i]) * 10)
    assert not blob.exists()
    committed, uncommitted = blob.get_block_list("all")
    assert not committed and sorted(block.id for block in uncommitted) == [f"block-{i:03}" for i in range(4)]
    blob.commit_block_list([BlobBlock("block-002"), BlobBlock("block-000")],
                           content_settings=ContentSettings(content_type="text/plain"), metadata={"k": "v"})
    assert blob.download_blob().readall() == b"C" * 10 + b"A" * 10
    assert blob.get_blob_properties().content_settings.content_type == "text/plain"
    committed, uncommitted = blob.get_block_list("all")
    assert [block.id for block in committed] == ["block-002", "block-000"] and not uncommitted
    # A committed block may be used again, in any order and more than once; a dropped one may not.
    blob.stage_block("block-009", b"new")
    blob.commit_block_list([BlobBlock("block-009"), BlobBlock("block-000"), BlobBlock("block-000")])
    assert blob.download_blob().readall() == b"new" + b"A" * 20
    for gone in ("block-001", "block-002"):
        with pytest.raises(HttpResponseError) as error:
            blob.commit_block_list([BlobBlock(gone)])
        assert refused(error) == (400, "InvalidBlockList")
    assert blob.download_blob().readall() == b"new" + b"A" * 20
    blob.commit_block_list([])
    assert blob.download_blob().readall() == b""


def test_put_blob_drops_uncommitted_blocks(container):
    blob = container.get_blob_client("b")
    blob.stage_block("aaaa", b"left over")
    blob.upload_blob(b"whole")
    assert blob.get_block_list("all") == ([], [])


def test_metadata_and_headers(container):
    settings = ContentSettings(content_type="image/png", content_encoding="gzip", content_language="de",
                               content_disposition="attachment", cache_control="no-cache")
    blob = container.upload_blob("b", b"data", metadata={"MixedCase": "Value", "other": "2"}, content_settings=settings)
    got = blob.get_blob_properties()
    assert got.metadata == {"MixedCase": "Value", "other": "2"}
    for name in ("content_type", "content_encoding", "content_language", "content_disposition", "cache_control"):
        assert got.content_settings[name] == settings[name]
    blob.set_blob_metadata({"k": "v"})
    changed = blob.get_blob_properties()
    assert changed.metadata == {"k": "v"} and changed.etag != got.etag and changed.content_settings.content_type == "image/png"
    blob.set_http_headers(ContentSettings(content_type="text/csv"))
    got = blob.get_blob_properties()
    assert got.content_settings.content_type == "text/csv" and got.content_settings.cache_control is None
    assert got.metadata == {"k": "v"} and blob.download_blob().readall() == b"data"
    with pytest.raises(HttpResponseError) as error:
        blob.set_blob_metadata({"big": "x" * 9000})
    assert refused(error) == (400, "MetadataTooLarge")
    with pytest.raises(HttpResponseError) as error:
        blob.set_blob_metadata({"not-a-name": "x"})
    assert refused(error) == (400, "InvalidMetadata")


def test_checksums(container):
    blob = container.get_blob_client("b")
    blob.upload_blob(b"data" * 1000, validate_content=True)
    assert blob.download_blob(validate_content=True).readall() == b"data" * 1000
    assert blob.download_blob(offset=3, length=500, validate_content=True).readall() == (b"data" * 1000)[3:503]
    blob.stage_block("aaaa", b"block", validate_content=True)
    blob.commit_block_list([BlobBlock("aaaa")], validate_content=True)
    assert blob.download_blob().readall() == b"block"


def test_listing(container):
    names = [f"{d}/{f:03}" for d in ("a", "b/c", "d") for f in range(40)] + ["root1", "root2", "zz/last"]
    for name in names:
        container.upload_blob(name, name.encode(), metadata={"n": name.replace("/", "_")})
    assert [b.name for b in container.list_blobs()] == sorted(names)
    listed = list(container.list_blobs(include=["metadata", "deleted", "snapshots", "versions", "tags", "copy"], results_per_page=7))
    assert [b.name for b in listed] == sorted(names)
    assert all(b.metadata == {"n": b.name.replace("/", "_")} and b.size == len(b.name) and b.etag for b in listed)
    pages = [[b.name for b in page] for page in container.list_blobs(results_per_page=50).by_page()]
    assert [len(page) for page in pages] == [50, 50, 23] and sum(pages, []) == sorted(names)
    assert [b.name for b in container.list_blobs(name_starts_with="b/c/03")] == [f"b/c/03{i}" for i in range(10)]
    # The client puts the prefixes of a page before its blobs.
    assert sorted(b.name for b in container.walk_blobs()) == ["a/", "b/", "d/", "root1", "root2", "zz/"]
    assert [b.name for b in container.walk_blobs("b/")] == ["b/c/"]
    small = [sorted(b.name for b in page) for page in container.walk_blobs(results_per_page=2).by_page()]
    assert small == [["a/", "b/"], ["d/", "root1"], ["root2", "zz/"]]
    assert list(container.list_blobs(name_starts_with="none")) == []


@pytest.mark.parametrize("name", ["with space.txt", "per%cent%20.txt", "plus+sign", "ünï/日本語/🐙.bin", "a?b#c&d=e;f,g", "quote'\"<>",
                                  "trailing/", "very/" * 200 + "deep", "x" * 1024, "ctrl\x01"])
def test_names(container, name):
    blob = container.upload_blob(name, b"named")
    assert blob.download_blob().readall() == b"named"
    assert [b.name for b in container.list_blobs()] == [name]
    container.delete_blob(name)
    assert list(container.list_blobs()) == []


def test_backslash_is_a_slash(container):
    container.upload_blob("a\\b", b"1")
    assert [b.name for b in container.list_blobs()] == ["a/b"]


@pytest.mark.parametrize("name", ["x" * 1025, "s/" * 254 + "s"])
def test_bad_names(container, name):
    with pytest.raises(HttpResponseError) as error:
        container.upload_blob(name, b"x")
    assert refused(error) == (400, "InvalidResourceName")


def test_deleting(container):
    blob = container.upload_blob("b", b"1")
    blob.delete_blob(delete_snapshots="include")
    assert not blob.exists()
    for call in (blob.delete_blob, blob.download_blob, blob.get_blob_properties):
        with pytest.raises(ResourceNotFoundError) as error:
            call()
        assert refused(error)[0] == 404 and refused(error)[1] == "BlobNotFound"


def test_conditions(container):
    blob = container.upload_blob("b", b"1")
    etag, when = (properties := blob.get_blob_properties()).etag, properties.last_modified
    match = dict(etag=etag, match_condition=MatchConditions.IfNotModified)
    differs = dict(etag=etag, match_condition=MatchConditions.IfModified)
    assert blob.download_blob(**match).readall() == b"1"
    with pytest.raises(HttpResponseError) as error:
        blob.download_blob(**differs)
    assert error.value.status_code == 304
    with pytest.raises(HttpResponseError) as error:
        blob.download_blob(if_modified_since=when)
    assert error.value.status_code == 304
    assert blob.download_blob(if_unmodified_since=when).readall() == b"1"
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"2", overwrite=True, **differs)
    blob.upload_blob(b"2", overwrite=True, **match)
    with pytest.raises(ResourceModifiedError) as error:
        blob.delete_blob(**match)
    assert refused(error) == (412, "ConditionNotMet")
    with pytest.raises(ResourceModifiedError):
        blob.set_blob_metadata({"a": "b"}, **match)
    with pytest.raises(ResourceModifiedError):
        container.upload_blob("none", b"3", overwrite=True, match_condition=MatchConditions.IfPresent)
    assert blob.download_blob().readall() == b"2"


def test_account_and_service(service, account):
    assert service.get_account_information()["account_kind"] == "StorageV2"
    before = service.get_service_properties()
    assert before["delete_retention_policy"].enabled is False
    service.set_service_properties(target_version="2020-10-02")
    after = service.get_service_properties()
    assert after["target_version"] == "2020-10-02" and after["cors"] == []


def test_what_a_service_keeps_for_its_clients(service, account):
    """Sections that change nothing here come back as they were set; one that is not sent stays as it was."""
    retention = RetentionPolicy(enabled=True, days=5)
    logging = BlobAnalyticsLogging(version="1.0", delete=True, read=True, write=False, retention_policy=retention)
    metrics = Metrics(version="1.0", enabled=True, include_apis=True, retention_policy=retention)
    service.set_service_properties(analytics_logging=logging, hour_metrics=metrics, minute_metrics=Metrics(), static_website=StaticWebsite())
    with pytest.raises(HttpResponseError) as error:  # a promise that nobody would keep
        service.set_service_properties(static_website=StaticWebsite(enabled=True, index_document="index.html"))
    assert refused(error) == (501, "NotImplemented")
    service.set_service_properties(cors=[CorsRule(["https://a.example"], ["GET"], max_age_in_seconds=9)])
    kept = account.client().get_service_properties()
    assert (kept["analytics_logging"].delete, kept["analytics_logging"].write, kept["analytics_logging"].retention_policy.days) == (True, False, 5)
    assert (kept["hour_metrics"].enabled, kept["hour_metrics"].include_apis, kept["minute_metrics"].enabled) == (True, True, False)
    assert kept["static_website"].enabled is False
    assert kept["cors"][0].max_age_in_seconds == 9


def test_wrong_key_and_unknown_account(account, hub):
    wrong = base64.b64encode(os.urandom(64)).decode()
    with account.client(credential={"account_name": account.name, "account_key": wrong}) as service:
        with pytest.raises(ClientAuthenticationError) as error:
            list(service.list_containers())
        assert refused(error) == (403, "AuthenticationFailed")
    second = account.client(credential={"account_name": account.name, "account_key": account.keys[1]})
    assert list(second.list_containers()) == []


def test_rotated_key_no_longer_signs(account, hub):
    old = account.client()
    assert list(old.list_containers()) == []
    status, keys = hub.api("POST", f"/api/v1/storage/accounts/{account.name}/keys/key1/rotate")
    assert status == 200
    with pytest.raises(ClientAuthenticationError):
        list(old.list_containers())
    account.keys[0] = next(key["value"] for key in keys["keys"] if key["name"] == "key1")
    assert list(account.client().list_containers()) == []


def test_an_account_with_containers_is_kept(account, hub, container):
    assert hub.api("DELETE", f"/api/v1/storage/accounts/{account.name}")[0] == 409
    container.delete_container()
    assert hub.api("DELETE", f"/api/v1/storage/accounts/{account.name}")[0] == 204
    with pytest.raises(ClientAuthenticationError):
        list(account.client().list_containers())
