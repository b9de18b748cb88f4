"""azure-storage-blob, unmodified: page blobs."""
import hashlib
import os

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobType, ContentSettings, SequenceNumberAction, StandardBlobTier

from blob_support import send

PAGE = 512


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


@pytest.fixture
def disk(container):
    blob = container.get_blob_client("disk")
    blob.create_page_blob(16 * PAGE, content_settings=ContentSettings("application/x-disk"), metadata={"of": "north"}, sequence_number=7)
    return blob


def test_pages(container, disk):
    properties = disk.get_blob_properties()
    assert (properties.blob_type, properties.size, properties.page_blob_sequence_number) == (BlobType.PageBlob, 16 * PAGE, 7)
    assert properties.content_settings.content_type == "application/x-disk" and properties.metadata == {"of": "north"}
    assert disk.download_blob().readall() == bytes(16 * PAGE)
    mirror = bytearray(16 * PAGE)
    for number, (first, count) in enumerate([(0, 2), (5, 4), (6, 1), (15, 1), (1, 3)]):
        data = os.urandom(count * PAGE)
        done = disk.upload_page(data, first * PAGE, count * PAGE, validate_content=number % 2 == 0)
        assert done["etag"] == disk.get_blob_properties().etag and done["blob_sequence_number"] == 7
        mirror[first * PAGE:(first + count) * PAGE] = data
        assert disk.download_blob().readall() == mirror
    disk.clear_page(5 * PAGE, 2 * PAGE)
    mirror[5 * PAGE:7 * PAGE] = bytes(2 * PAGE)
    assert disk.download_blob().readall() == mirror
    assert disk.download_blob(offset=3 * PAGE + 100, length=5 * PAGE).readall() == mirror[3 * PAGE + 100:8 * PAGE + 100]
    listed = list(container.list_blobs())
    assert [(b.name, b.blob_type, b.size, b.page_blob_sequence_number) for b in listed] == [("disk", BlobType.PageBlob, 16 * PAGE, 7)]


def test_ranges(disk):
    for first, count in ((0, 2), (2, 1), (5, 1), (9, 2)):
        disk.upload_page(b"x" * count * PAGE, first * PAGE, count * PAGE)
    written = [(0, 3), (5, 1), (9, 2)]

    def pages(ranges) -> list[tuple[int, int]]:
        return [(r["start"] // PAGE, (r["end"] + 1 - r["start"]) // PAGE) for r in ranges]

    assert pages(disk.get_page_ranges()[0]) == written
    assert pages(disk.get_page_ranges(offset=PAGE, length=5 * PAGE)[0]) == [(1, 2), (5, 1)]
    assert pages(disk.get_page_ranges(offset=11 * PAGE)[0]) == []
    assert [(r.start // PAGE, (r.end + 1 - r.start) // PAGE, r.cleared) for r in disk.list_page_ranges(results_per_page=1)] == [
        (first, count, False) for first, count in written]
    assert len(list(disk.list_page_ranges(results_per_page=2).by_page())) == 2
    assert code(lambda: disk.get_page_ranges(offset=16 * PAGE, length=PAGE)) == (416, "InvalidRange")


def test_a_tebibyte_of_holes(container):
    blob = container.get_blob_client("huge")
    blob.create_page_blob(1 << 40)
    data = os.urandom(4 << 20)
    blob.upload_page(data, (1 << 40) - len(data), len(data))
    blob.upload_page(data[:PAGE], 1 << 35, PAGE)
    assert blob.download_blob(offset=(1 << 40) - len(data) - 1000, length=len(data) + 1000).readall() == bytes(1000) + data
    assert blob.download_blob(offset=(1 << 35) - 5000, length=10_000).readall() == bytes(5000) + data[:PAGE] + bytes(5000 - PAGE)
    assert [(r["start"], r["end"]) for r in blob.get_page_ranges()[0]] == [(1 << 35, (1 << 35) + PAGE - 1), ((1 << 40) - len(data), (1 << 40) - 1)]
    assert code(lambda: blob.upload_page(data + bytes(PAGE), 0, len(data) + PAGE)) == (413, "RequestBodyTooLarge")


def test_upload_in_chunks(account, container):
    data = bytearray(os.urandom(3 << 20))
    data[1 << 20:2 << 20] = bytes(1 << 20)
    with account.client(max_page_size=256 * 1024) as service:
        blob = service.get_blob_client("tests", "image")
        blob.upload_blob(bytes(data), blob_type=BlobType.PageBlob)
        assert blob.download_blob().readall() == data
        assert [(r["start"], r["end"] + 1) for r in blob.get_page_ranges()[0]] == [(0, 1 << 20), (2 << 20, 3 << 20)]
        blob.upload_blob(b"y" * PAGE, blob_type=BlobType.PageBlob, overwrite=True)
        assert blob.download_blob().readall() == b"y" * PAGE


def test_sequence_numbers(disk):
    data = b"s" * PAGE
    disk.upload_page(data, 0, PAGE, if_sequence_number_lte=7)
    disk.upload_page(data, 0, PAGE, if_sequence_number_lt=8)
    disk.upload_page(data, 0, PAGE, if_sequence_number_eq=7)
    for miss in ({"if_sequence_number_lte": 6}, {"if_sequence_number_lt": 7}, {"if_sequence_number_eq": 8}):
        assert code(lambda: disk.upload_page(data, 0, PAGE, **miss)) == (412, "SequenceNumberConditionNotMet")
        assert code(lambda: disk.clear_page(0, PAGE, **miss)) == (412, "SequenceNumberConditionNotMet")
    number = lambda: disk.get_blob_properties().page_blob_sequence_number
    disk.set_sequence_number(SequenceNumberAction.Max, "3")
    assert number() == 7
    disk.set_sequence_number(SequenceNumberAction.Update, "3")
    assert number() == 3
    disk.set_sequence_number(SequenceNumberAction.Increment)
    assert number() == 4
    assert disk.get_blob_properties().content_settings.content_type == "application/x-disk"


def test_resizing(disk):
    disk.upload_page(b"a" * 16 * PAGE, 0, 16 * PAGE)
    disk.resize_blob(2 * PAGE)
    assert disk.download_blob().readall() == b"a" * 2 * PAGE
    disk.resize_blob(4 * PAGE)
    assert disk.download_blob().readall() == b"a" * 2 * PAGE + bytes(2 * PAGE)
    assert code(lambda: disk.upload_page(b"x" * PAGE, 4 * PAGE, PAGE)) == (416, "InvalidPageRange")
    assert disk.get_blob_properties().content_settings.content_type == "application/x-disk"


def test_from_url_and_copies(account, container, disk):
    source = container.upload_blob("source", os.urandom(8 * PAGE))
    data = source.download_blob().readall()
    disk.upload_pages_from_url(source.url, 2 * PAGE, 3 * PAGE, 4 * PAGE)
    assert disk.download_blob(offset=2 * PAGE, length=3 * PAGE).readall() == data[4 * PAGE:7 * PAGE]
    copy = container.get_blob_client("copy")
    copy.start_copy_from_url(disk.url)
    before = disk.download_blob().readall()
    disk.upload_page(b"n" * PAGE, 0, PAGE)
    assert copy.download_blob().readall() == before and copy.get_blob_properties().blob_type == BlobType.PageBlob
    # A page blob as the source of pages of another.
    copy.upload_pages_from_url(disk.url, 0, PAGE, 0)
    assert copy.download_blob(offset=0, length=PAGE).readall() == b"n" * PAGE
    # As the source of a block blob it is its bytes, holes and all.
    block = container.get_blob_client("b")
    block.upload_blob_from_url(disk.url, metadata={"a": "1"})
    now = disk.download_blob().readall()
    made = block.get_blob_properties()
    assert block.download_blob().readall() == now and made.blob_type == BlobType.BlockBlob and made.metadata == {"a": "1"}
    assert made.content_settings.content_type == "application/x-disk" and made.content_settings.content_md5 == bytearray(hashlib.md5(now).digest())
    disk.upload_page(b"m" * PAGE, 0, PAGE)
    assert block.download_blob().readall() == now
    stale = {"source_etag": '"0x1"', "source_match_condition": MatchConditions.IfNotModified}
    assert code(lambda: block.upload_blob_from_url(disk.url, overwrite=True, **stale)) == (412, "SourceConditionNotMet")
    assert code(lambda: block.upload_blob_from_url(disk.url)) == (409, "BlobAlreadyExists")
    other = "http://127.0.0.1:9/none/c/b"
    assert code(lambda: disk.upload_pages_from_url(other, 0, PAGE, 0)) == (403, "CannotVerifyCopySource")


def test_changes_since_a_snapshot(account, container, disk):
    """Each page that was written or cleared since, as a mirror of both states has it."""
    spans = lambda numbers: {n for span in numbers for n in range(span["start"] // PAGE, (span["end"] + 1) // PAGE)}
    disk.upload_page(b"a" * 6 * PAGE, 0, 6 * PAGE)
    first = disk.create_snapshot()["snapshot"]
    assert disk.get_page_ranges(previous_snapshot_diff=first) == ([], [])
    disk.upload_page(b"b" * 2 * PAGE, PAGE, 2 * PAGE)
    disk.clear_page(4 * PAGE, 4 * PAGE)
    disk.upload_page(b"c" * PAGE, 15 * PAGE, PAGE)
    written, cleared = disk.get_page_ranges(previous_snapshot_diff=first)
    assert (spans(written), spans(cleared)) == ({1, 2, 15}, {4, 5})
    second = disk.create_snapshot()["snapshot"]
    disk.upload_page(b"d" * PAGE, 9 * PAGE, PAGE)
    listed = lambda blob=disk, **how: [(r.start // PAGE, (r.end + 1) // PAGE, r.cleared) for r in blob.list_page_ranges(**how)]
    assert listed(previous_snapshot=second) == [(9, 10, False)]
    assert listed(previous_snapshot=first, results_per_page=1) == [(1, 3, False), (4, 6, True), (9, 10, False), (15, 16, False)]
    assert listed(previous_snapshot=first, offset=PAGE, length=4 * PAGE) == [(1, 3, False), (4, 5, True)]
    at = lambda snapshot: container.get_blob_client("disk", snapshot=snapshot)
    assert listed(at(second), previous_snapshot=first) == [(1, 3, False), (4, 6, True), (15, 16, False)]
    assert spans(at(first).get_page_ranges()[0]) == set(range(6))
    assert spans(disk.get_page_range_diff_for_managed_disk(at(first).url)[0]) == {1, 2, 9, 15}
    disk.resize_blob(9 * PAGE)
    assert listed(previous_snapshot=second) == []

    assert code(lambda: at(first).get_page_ranges(previous_snapshot_diff=second)) == (400, "PreviousSnapshotCannotBeNewer")
    never = "2020-01-01T00:00:00.0000000Z"
    assert code(lambda: disk.get_page_ranges(previous_snapshot_diff=never)) == (409, "PreviousSnapshotNotFound")
    assert code(lambda: disk.get_page_ranges(previous_snapshot_diff="yesterday")) == (400, "InvalidQueryParameterValue")
    other = container.get_blob_client("other", snapshot=first)
    for url in (other.url, disk.url, "http://", "x?snapshot=" + first, at("yesterday").url):
        assert code(lambda: disk.get_page_range_diff_for_managed_disk(url))[0] == 400, url
    disk.delete_blob(delete_snapshots="only")
    assert code(lambda: disk.get_page_ranges(previous_snapshot_diff=first)) == (409, "PreviousSnapshotNotFound")


def test_refused(account, container, disk):
    signed = lambda path, headers, body=b"": send(account, "PUT", path, body, headers)
    page = {"x-ms-blob-type": "PageBlob"}
    for length in ("511", "-512", "x", str((8 << 40) + PAGE)):
        answer = signed("/tests/new", page | {"x-ms-blob-content-length": length})
        assert (answer.status, answer.code) == (400, "InvalidHeaderValue"), length
    assert signed("/tests/new", page).code == "MissingRequiredHeader"
    assert signed("/tests/new", page | {"x-ms-blob-content-length": "512"}, b"x").code == "InvalidHeaderValue"
    assert signed("/tests/new", page | {"x-ms-blob-content-length": "512", "x-ms-blob-sequence-number": "-1"}).code == "InvalidHeaderValue"
    put = lambda headers, body=b"x" * PAGE: signed("/tests/disk?comp=page", {"x-ms-page-write": "update"} | headers, body)
    for span in ("bytes=1-512", "bytes=0-510", "bytes=0-1023", "bytes=0-", "bytes=512-0", "bytes=8192-8703", "bytes=0-x"):
        answer = put({"x-ms-range": span})
        assert (answer.status, answer.code) == (416, "InvalidPageRange"), span
    assert put({}).code == "MissingRequiredHeader"
    assert put({"x-ms-range": "bytes=0-511", "x-ms-page-write": "other"}).code == "InvalidHeaderValue"
    assert put({"x-ms-range": "bytes=0-511", "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}).code == "Md5Mismatch"
    assert put({"x-ms-range": "bytes=0-511", "x-ms-content-crc64": "AAAAAAAAAAA="}).code == "Crc64Mismatch"
    assert put({"x-ms-range": "bytes=0-511", "x-ms-if-sequence-number-eq": "many"}).code == "InvalidHeaderValue"
    properties = lambda headers: signed("/tests/disk?comp=properties", headers)
    assert properties({"x-ms-sequence-number-action": "increment", "x-ms-blob-sequence-number": "1"}).code == "InvalidHeaderValue"
    assert properties({"x-ms-sequence-number-action": "update"}).code == "MissingRequiredHeader"
    assert properties({"x-ms-blob-sequence-number": "1"}).code == "MissingRequiredHeader"
    assert properties({"x-ms-sequence-number-action": "double"}).code == "InvalidHeaderValue"
    block = container.upload_blob("block", b"x" * PAGE)
    assert code(lambda: block.upload_page(b"y" * PAGE, 0, PAGE)) == (409, "InvalidBlobType")
    assert code(lambda: block.resize_blob(PAGE)) == (409, "InvalidBlobType")
    assert code(lambda: block.get_page_ranges()) == (409, "InvalidBlobType")
    assert code(lambda: disk.set_standard_blob_tier(StandardBlobTier.COOL)) == (409, "InvalidBlobType")
    stale = {"etag": '"0x1"', "match_condition": MatchConditions.IfNotModified}
    assert code(lambda: disk.upload_page(b"y" * PAGE, 0, PAGE, **stale)) == (412, "ConditionNotMet")
    lease = disk.acquire_lease()
    assert code(lambda: disk.upload_page(b"y" * PAGE, 0, PAGE)) == (412, "LeaseIdMissing")
    disk.upload_page(b"y" * PAGE, 0, PAGE, lease=lease)
    assert disk.get_page_ranges()[0] == [{"start": 0, "end": 511}]
