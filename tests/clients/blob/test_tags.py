"""azure-storage-blob, unmodified: tags and access tiers."""
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import StandardBlobTier

from blob_support import send


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def test_tags(container):
    blob = container.upload_blob("b", b"data", tags={"site": "north 1", "a/b": "x=y+z"})
    assert blob.get_blob_tags() == {"site": "north 1", "a/b": "x=y+z"} and blob.get_blob_properties().tag_count == 2
    etag = blob.get_blob_properties().etag
    blob.set_blob_tags({"k": ""})
    assert blob.get_blob_tags() == {"k": ""} and blob.get_blob_properties().etag == etag
    assert [b.tags for b in container.list_blobs(include=["tags"])] == [{"k": ""}]
    blob.set_blob_metadata({"m": "1"})
    assert blob.get_blob_tags() == {"k": ""}
    blob.set_blob_tags()
    assert blob.get_blob_tags() == {} and blob.get_blob_properties().tag_count is None
    log = container.get_blob_client("log")
    log.create_append_blob(tags={"of": "log"})
    log.append_block(b"x")
    assert log.get_blob_tags() == {"of": "log"}
    blob.upload_blob(b"new", overwrite=True)
    assert blob.get_blob_tags() == {}


def test_bad_tags(account, container):
    blob = container.upload_blob("b", b"data")
    assert code(lambda: blob.set_blob_tags({str(n): "" for n in range(11)})) == (400, "TagsTooLarge")
    assert code(lambda: blob.set_blob_tags({"": "x"})) == (400, "EmptyTagName")
    assert code(lambda: blob.set_blob_tags({"k": "v" * 257})) == (400, "InvalidTag")
    twice = b"<Tags><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tags>"
    answer = send(account, "PUT", "/tests/b?comp=tags", twice)
    assert (answer.status, answer.code) == (400, "DuplicateTagNames")
    assert code(container.get_blob_client("none").get_blob_tags) == (404, "BlobNotFound")
    assert blob.get_blob_tags() == {}


def test_tiers(container):
    blob = container.upload_blob("b", b"data", standard_blob_tier=StandardBlobTier.COOL)
    properties = blob.get_blob_properties()
    assert properties.blob_tier == "Cool" and not properties.blob_tier_inferred and properties.blob_tier_change_time
    blob.set_standard_blob_tier(StandardBlobTier.HOT)
    assert blob.get_blob_properties().blob_tier == "Hot" and blob.download_blob().readall() == b"data"
    assert [b.blob_tier for b in container.list_blobs()] == ["Hot"]
    assert code(lambda: blob.set_standard_blob_tier("Frozen")) == (400, "InvalidHeaderValue")
    plain = container.upload_blob("plain", b"x")
    assert plain.get_blob_properties().blob_tier == "Hot" and plain.get_blob_properties().blob_tier_inferred
    log = container.get_blob_client("log")
    log.create_append_blob()
    assert code(lambda: log.set_standard_blob_tier(StandardBlobTier.COOL)) == (409, "InvalidBlobType")
