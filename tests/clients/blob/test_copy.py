"""azure-storage-blob, unmodified: copies inside the server, and refusal of every other source."""
import base64
import hashlib
import os

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, BlobSasPermissions, BlobType, generate_blob_sas

from blob_support import send, soon


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def url_with_sas(account, blob: BlobClient, permission="r") -> str:
    sas = generate_blob_sas(account.name, blob.container_name, blob.blob_name, account_key=account.key,
                            permission=BlobSasPermissions.from_string(permission), expiry=soon(hours=1))
    return f"{blob.url}?{sas}"


def test_copy_blob(container):
    source = container.upload_blob("from", b"data" * 1000, metadata={"a": "1"})
    copy = container.get_blob_client("to")
    done = copy.start_copy_from_url(source.url)
    assert done["copy_status"] == "success" and done["copy_id"]
    properties = copy.get_blob_properties()
    assert copy.download_blob().readall() == b"data" * 1000 and properties.metadata == {"a": "1"}
    assert properties.copy.id == done["copy_id"] and properties.copy.status == "success" and properties.copy.progress == "4000/4000"
    assert properties.copy.source == source.url and properties.content_settings == source.get_blob_properties().content_settings
    copy.start_copy_from_url(source.url, metadata={"b": "2"}, requires_sync=True)
    assert copy.get_blob_properties().metadata == {"b": "2"}
    source.delete_blob()
    assert copy.download_blob().readall() == b"data" * 1000
    assert code(lambda: copy.abort_copy(done["copy_id"])) == (409, "NoPendingCopyOperation")
    copy.upload_blob(b"new", overwrite=True)
    assert copy.get_blob_properties().copy.id is None


def test_a_copy_keeps_blocks_and_appends_apart(container):
    source = container.get_blob_client("log")
    source.create_append_blob()
    for line in (b"one", b"two"):
        source.append_block(line)
    copy = container.get_blob_client("copy")
    copy.start_copy_from_url(source.url)
    copy.append_block(b"copy")
    source.append_block(b"source")
    assert copy.download_blob().readall() == b"onetwocopy" and source.download_blob().readall() == b"onetwosource"
    assert copy.get_blob_properties().blob_type == BlobType.AppendBlob
    blocks = container.get_blob_client("blocks")
    blocks.stage_block("aaaa", b"a")
    blocks.commit_block_list(["aaaa"])
    copy.start_copy_from_url(blocks.url)
    copy.stage_block("bbbb", b"b")
    copy.commit_block_list(["aaaa", "bbbb"])
    assert copy.download_blob().readall() == b"ab" and blocks.download_blob().readall() == b"a"
    blocks.start_copy_from_url(blocks.url, metadata={"itself": "1"})
    assert blocks.download_blob().readall() == b"a" and [b.id for b in blocks.get_block_list()[0]] == ["aaaa"]


def test_conditions(container):
    source, there = container.upload_blob("from", b"data"), container.upload_blob("to", b"old")
    assert code(lambda: there.start_copy_from_url(source.url, source_etag='"0x1"', source_match_condition=MatchConditions.IfNotModified)) == (412, "SourceConditionNotMet")
    lease = there.acquire_lease()
    assert code(lambda: there.start_copy_from_url(source.url)) == (412, "LeaseIdMissing")
    there.start_copy_from_url(source.url, destination_lease=lease)
    assert there.download_blob().readall() == b"data"
    assert code(lambda: there.start_copy_from_url(container.get_blob_client("none").url)) == (404, "CannotVerifyCopySource")


def test_from_urls(account, container):
    data = os.urandom(300_000)
    source = container.upload_blob("from", data)
    url = url_with_sas(account, source)
    whole = container.get_blob_client("whole")
    whole.upload_blob_from_url(url)
    assert whole.download_blob().readall() == data and whole.get_blob_properties().blob_type == BlobType.BlockBlob
    blocks = container.get_blob_client("blocks")
    blocks.stage_block_from_url("aaaa", url, source_offset=100_000, source_length=200_000)
    blocks.stage_block_from_url("bbbb", url, source_offset=0, source_length=100_000)
    blocks.commit_block_list(["bbbb", "aaaa"])
    assert blocks.download_blob().readall() == data
    log = container.get_blob_client("log")
    log.create_append_blob()
    log.append_block_from_url(url, source_offset=10, source_length=90)
    assert log.download_blob().readall() == data[10:100]


def test_whole_blocks_of_a_blob_here_take_no_room(hub, account, container):
    """What is one stored content is held by both; checksums are told and looked at all the same."""
    used = lambda: hub.api("GET", "/api/v1/storage/usage")[1]["store"]["live_bytes"]
    blocks = [os.urandom(3 << 20) for _ in range(3)]
    source = container.get_blob_client("from")
    for number, block in enumerate(blocks):
        source.stage_block(f"{number}", block)
    source.commit_block_list(["0", "1", "2"])
    whole = container.upload_blob("whole", blocks[0])
    before, to = used(), container.get_blob_client("to")
    for number in range(3):
        to.stage_block_from_url(f"b{number}", url_with_sas(account, source), source_offset=number * (3 << 20), source_length=3 << 20)
    to.stage_block_from_url("whole", url_with_sas(account, whole))
    assert used() - before < 1 << 20
    md5 = [base64.b64encode(hashlib.md5(block).digest()).decode() for block in blocks]
    at = {"x-ms-copy-source": url_with_sas(account, source), "x-ms-source-range": f"bytes=0-{(3 << 20) - 1}"}
    path = "/tests/to?comp=block&blockid=YWFhYQ%3D%3D"
    answer = send(account, "PUT", path, headers=at)
    sent = send(account, "PUT", "/tests/other?comp=block&blockid=YWFh", blocks[0])
    assert answer.status == 201 and answer.headers["x-ms-content-crc64"] == sent.headers["x-ms-content-crc64"]
    answer = send(account, "PUT", path, headers=at | {"x-ms-source-content-md5": md5[0]})
    assert answer.status == 201 and answer.headers["content-md5"] == md5[0]
    answer = send(account, "PUT", path, headers=at | {"x-ms-source-content-md5": md5[1]})
    assert (answer.status, answer.code) == (400, "Md5Mismatch")
    answer = send(account, "PUT", path, headers=at | {"x-ms-source-if-match": '"0x1"'})
    assert (answer.status, answer.code) == (412, "SourceConditionNotMet")
    to.commit_block_list(["b2", "whole", "b1"])
    for blob in (source, whole):
        blob.delete_blob()
    assert to.download_blob().readall() == blocks[2] + blocks[0] + blocks[1]


def test_the_source_must_be_readable_by_who_asks(hub, account, container):
    other = hub.create_account()
    with other.client() as service:
        theirs = service.create_container("theirs").upload_blob("secret", b"secret")
    mine = container.get_blob_client("mine")
    assert code(lambda: mine.start_copy_from_url(theirs.url)) == (403, "CannotVerifyCopySource")
    assert code(lambda: mine.start_copy_from_url(url_with_sas(other, theirs, "w"))) == (403, "CannotVerifyCopySource")
    assert code(lambda: mine.start_copy_from_url(url_with_sas(account, theirs))) == (403, "CannotVerifyCopySource")
    mine.start_copy_from_url(url_with_sas(other, theirs))
    assert mine.download_blob().readall() == b"secret" and "sig" not in mine.get_blob_properties().copy.source
    # A signature for writing one blob does not open the others of its account.
    writer = BlobClient.from_blob_url(url_with_sas(account, container.get_blob_client("w"), "cw"), retry_total=0)
    assert code(lambda: writer.start_copy_from_url(mine.url)) == (403, "CannotVerifyCopySource")
    writer.start_copy_from_url(url_with_sas(account, mine))


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/meta-data", "https://example.com/a/b/c", "http://localhost:1/a/b/c", "http://[::1]/a/b/c"])
def test_no_other_source(account, container, url):
    for query, headers in (("", {}), ("", {"x-ms-blob-type": "BlockBlob"}), ("?comp=block&blockid=AAAA", {})):
        answer = send(account, "PUT", f"/tests/b{query}", headers={"x-ms-copy-source": url} | headers)
        assert (answer.status, answer.code) == (403, "CannotVerifyCopySource")
    for bad in ("file:///etc/passwd", "/a/b/c", "http://"):
        answer = send(account, "PUT", "/tests/b", headers={"x-ms-copy-source": bad})
        assert (answer.status, answer.code) == (400, "InvalidHeaderValue")
