"""azure-storage-blob, unmodified: append blobs."""
import concurrent.futures
import os

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobType, generate_blob_sas

from blob_support import connect, soon


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def test_appending(container):
    log = container.get_blob_client("log")
    log.create_append_blob(metadata={"site": "north"})
    assert log.get_blob_properties().blob_type == BlobType.AppendBlob and log.download_blob().readall() == b""
    parts = [os.urandom(size) for size in (1, 4096, 300_000, 7)]
    for number, part in enumerate(parts):
        done = log.append_block(part, validate_content=number % 2 == 1)
        assert int(done["blob_append_offset"]) == sum(map(len, parts[:number])) and done["blob_committed_block_count"] == number + 1
    whole = b"".join(parts)
    assert log.download_blob().readall() == whole and log.download_blob(offset=4000, length=200).readall() == whole[4000:4200]
    properties = log.get_blob_properties()
    assert properties.size == len(whole) and properties.append_blob_committed_block_count == 4 and properties.metadata == {"site": "north"}
    assert [(b.name, b.blob_type, b.size) for b in container.list_blobs()] == [("log", BlobType.AppendBlob, len(whole))]


def test_conditions(container):
    log = container.get_blob_client("log")
    log.create_append_blob()
    log.append_block(b"12345", appendpos_condition=0)
    assert code(lambda: log.append_block(b"x", appendpos_condition=4)) == (412, "AppendPositionConditionNotMet")
    assert code(lambda: log.append_block(b"xx", maxsize_condition=6)) == (412, "MaxBlobSizeConditionNotMet")
    log.append_block(b"x", appendpos_condition=5, maxsize_condition=6)
    assert code(lambda: log.append_block(b"x", etag='"0x1"', match_condition=MatchConditions.IfNotModified)) == (412, "ConditionNotMet")
    assert code(lambda: container.get_blob_client("none").append_block(b"x")) == (404, "BlobNotFound")
    assert log.download_blob().readall() == b"12345x"


def test_types(container):
    block, log = container.upload_blob("block", b"x"), container.get_blob_client("log")
    log.create_append_blob()
    assert code(lambda: block.append_block(b"x")) == (409, "InvalidBlobType")
    assert code(lambda: log.stage_block("aaaa", b"x")) == (409, "InvalidBlobType")
    assert code(lambda: log.commit_block_list([])) == (409, "InvalidBlobType")
    log.upload_blob(b"block again", overwrite=True)
    assert log.get_blob_properties().blob_type == BlobType.BlockBlob and log.download_blob().readall() == b"block again"


def test_upload_in_chunks(account, container):
    with account.client(max_block_size=64 * 1024) as service:
        log = service.get_blob_client("tests", "big")
        data = os.urandom(1 << 20)
        log.upload_blob(data, blob_type=BlobType.AppendBlob)
        log.upload_blob(b"tail", blob_type=BlobType.AppendBlob)
        assert log.download_blob().readall() == data + b"tail" and log.get_blob_properties().append_blob_committed_block_count == 17


def test_sealing(container):
    log = container.get_blob_client("log")
    log.create_append_blob()
    log.append_block(b"last words")
    assert log.seal_append_blob()["blob_sealed"] is True
    assert code(lambda: log.append_block(b"more")) == (409, "BlobIsSealed")
    assert log.get_blob_properties()["is_append_blob_sealed"] is True and log.download_blob().readall() == b"last words"


@pytest.mark.slow
def test_fifty_thousand_blocks_and_not_one_more(account, container):
    log = container.get_blob_client("log")
    log.create_append_blob()
    sas = generate_blob_sas(account.name, "tests", "log", account_key=account.key, permission="a", expiry=soon(hours=1))
    request = f"PUT /{account.name}/tests/log?comp=appendblock&{sas} HTTP/1.1\r\nHost: x\r\nx-ms-version: 2021-12-02\r\nContent-Length: 1\r\n\r\nx".encode()

    def append(count: int) -> int:
        """So many requests at once on one connection; how many were answered with 201."""
        answers = b""
        with connect(account) as socket:
            socket.sendall(request * count)
            while answers.count(b"HTTP/1.1 ") < count and (more := socket.recv(1 << 16)):
                answers += more
        return answers.count(b"HTTP/1.1 201 ")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(append, [250] * 200)) == 50_000
    assert code(lambda: log.append_block(b"x")) == (409, "BlockCountExceedsLimit")
    assert log.get_blob_properties().append_blob_committed_block_count == 50_000
    assert log.download_blob().readall() == b"x" * 50_000
