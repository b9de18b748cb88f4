"""Conditional headers (A1.4 of the reference): each operation that takes them, with each of them, on a blob that is there and on none."""
import pytest

from blob_support import send

BLOCK, LOG, DISK = ({"x-ms-blob-type": kind} for kind in ("BlockBlob", "AppendBlob", "PageBlob"))
PAST, FUTURE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 06 Nov 2094 08:49:37 GMT"
PAGES = {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}

# Condition and value ("etag": the blob's own), then the answers to: a read of what is there, a replacement of it, a change of it, a write
# where nothing is.
CONDITIONS = [
    ("If-Match", "etag", 200, 201, 201, 412), ("If-Match", '"0x1"', 412, 412, 412, 412), ("If-Match", "*", 200, 201, 201, 412),
    ("If-None-Match", "etag", 304, 412, 412, 201), ("If-None-Match", '"0x1"', 200, 201, 201, 201), ("If-None-Match", "*", 400, 409, 201, 201),
    ("If-Modified-Since", PAST, 200, 201, 201, 201), ("If-Modified-Since", FUTURE, 304, 412, 412, 201),
    ("If-Unmodified-Since", PAST, 412, 412, 412, 201), ("If-Unmodified-Since", FUTURE, 200, 201, 201, 201),
]

# The kind of blob that "/tests/b" is, method, what is behind that path, headers, body. "source": the URL of another blob.
READS = {
    "Get Blob": (BLOCK, "GET", "", {}, b""), "Get Blob Properties": (BLOCK, "HEAD", "", {}, b""), "Get Blob Metadata": (BLOCK, "GET", "?comp=metadata", {}, b""),
    "Get Page Ranges": (DISK, "GET", "?comp=pagelist", {}, b""),
}
REPLACES = {
    "Put Blob": (BLOCK, "PUT", "", BLOCK, b"x"), "Put Blob of pages": (DISK, "PUT", "", DISK | {"x-ms-blob-content-length": "512"}, b""),
    "Put Blob to append to": (LOG, "PUT", "", LOG, b""), "Put Block List": (BLOCK, "PUT", "?comp=blocklist", {}, b"<BlockList/>"),
    "Copy Blob": (BLOCK, "PUT", "", {"x-ms-copy-source": "source"}, b""),
    "Copy Blob From URL": (BLOCK, "PUT", "", {"x-ms-copy-source": "source", "x-ms-requires-sync": "true"}, b""),
    "Put Blob From URL": (BLOCK, "PUT", "", BLOCK | {"x-ms-copy-source": "source"}, b""),
}
CHANGES = {
    "Set Blob Metadata": (BLOCK, "PUT", "?comp=metadata", {}, b""), "Set Blob Properties": (BLOCK, "PUT", "?comp=properties", {}, b""),
    "Snapshot Blob": (BLOCK, "PUT", "?comp=snapshot", {}, b""), "Delete Blob": (BLOCK, "DELETE", "", {}, b""),
    "Lease Blob": (BLOCK, "PUT", "?comp=lease", {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"}, b""),
    "Append Block": (LOG, "PUT", "?comp=appendblock", {}, b"x"), "Append Blob Seal": (LOG, "PUT", "?comp=seal", {}, b""),
    "Append Block From URL": (LOG, "PUT", "?comp=appendblock", {"x-ms-copy-source": "source"}, b""),
    "Put Page": (DISK, "PUT", "?comp=page", PAGES, bytes(512)), "Put Page From URL": (DISK, "PUT", "?comp=page", PAGES | {"x-ms-copy-source": "source"}, b""),
    "Resize": (DISK, "PUT", "?comp=properties", {"x-ms-blob-content-length": "1024"}, b""),
}


@pytest.fixture
def stage(account, container):
    """(make the blob of a kind anew, call an operation on a name with more headers)."""
    source = container.upload_blob("source", bytes(512)).url

    def made(kind: dict) -> str:
        """The ETag of "/tests/b", which is of this kind, and nothing but it."""
        send(account, "PUT", "/tests/b?comp=lease", headers={"x-ms-lease-action": "break", "x-ms-lease-break-period": "0"})
        send(account, "DELETE", "/tests/b", headers={"x-ms-delete-snapshots": "include"})
        answer = send(account, "PUT", "/tests/b", headers=kind | ({"x-ms-blob-content-length": "512"} if kind is DISK else {}))
        assert answer.status == 201, answer.body
        return answer.headers["etag"]

    def call(operation: tuple, more: dict, name: str = "b"):
        _, method, query, headers, body = operation
        headers = {key: source if value == "source" else value for key, value in headers.items()}
        return send(account, method, f"/tests/{name}{query}", body, headers | more)
    return made, call


@pytest.mark.parametrize("name", READS)
def test_reads(stage, name):
    made, call = stage
    etag = made(READS[name][0])
    for condition, value, wanted, *_ in CONDITIONS:
        header = {condition: etag if value == "etag" else value}
        answer = call(READS[name], header)
        assert (answer.status, answer.code) == (wanted, {200: "", 400: "UnsatisfiableCondition"}.get(wanted, "ConditionNotMet")), header
        # Where nothing is, that is what counts; an ETag that makes no sense is told as well.
        assert call(READS[name], header, "none").status == 404, header


@pytest.mark.parametrize("name", REPLACES)
def test_replacements(stage, name):
    made, call = stage
    for number, (condition, value, _, wanted, _, wanted_none) in enumerate(CONDITIONS):
        etag = made(REPLACES[name][0])
        header = {condition: etag if value == "etag" else value}
        for answer, status in ((call(REPLACES[name], header), wanted), (call(REPLACES[name], header, f"new{number}"), wanted_none)):
            code = {412: "ConditionNotMet", 409: "BlobAlreadyExists"}.get(status, "")
            assert (answer.status // 100 if status == 201 else answer.status, answer.code) == (2 if status == 201 else status, code), (header, status, answer.body)


@pytest.mark.parametrize("name", CHANGES)
def test_changes(stage, name):
    made, call = stage
    for condition, value, _, _, wanted, _ in CONDITIONS:
        etag = made(CHANGES[name][0])
        header = {condition: etag if value == "etag" else value}
        answer = call(CHANGES[name], header)
        assert (answer.status // 100, answer.code) == ((2, "") if wanted == 201 else (4, "ConditionNotMet")), (header, answer.status, answer.body)
        none = call(CHANGES[name], header, "none")
        assert none.status in (404, 412), (header, none.status, none.code)


@pytest.mark.parametrize("name", [*REPLACES, *CHANGES])
def test_pairs(stage, name):
    """A write takes an ETag with the date that goes with it, and nothing more."""
    operation = {**REPLACES, **CHANGES}[name]
    made, call = stage
    for headers, fits in (({"If-None-Match": '"0x1"', "If-Modified-Since": PAST}, True), ({"If-Match": "*", "If-Unmodified-Since": FUTURE}, True),
                          ({"If-Match": "*", "If-None-Match": '"0x1"'}, False), ({"If-Match": "*", "If-Modified-Since": PAST}, False),
                          ({"If-Match": '"0x1", "0x2"'}, False), ({"If-None-Match": '"0x1","0x2"'}, False),
                          ({"If-Match": "*", "If-Unmodified-Since": FUTURE, "If-Modified-Since": PAST}, False)):
        made(operation[0])
        answer = call(operation, headers)
        assert (answer.status // 100 == 2) if fits else (answer.status, answer.code) == (400, "MultipleConditionHeadersNotSupported"), (headers, answer.body)


FROM_URL = {name: row for name, row in {**REPLACES, **CHANGES}.items() if "x-ms-copy-source" in row[3]} | {
    "Put Block From URL": (BLOCK, "PUT", "?comp=block&blockid=YWFh", {"x-ms-copy-source": "source"}, b"")}


@pytest.mark.parametrize("name", FROM_URL)
def test_conditions_on_the_source(account, stage, name):
    made, call = stage
    etag = send(account, "HEAD", "/tests/source").headers["etag"]
    for condition, value, wanted, *_ in CONDITIONS:
        if value == "*":
            continue
        made(FROM_URL[name][0])
        answer = call(FROM_URL[name], {f"x-ms-source-{condition.lower()}": etag if value == "etag" else value})
        assert (answer.status // 100, answer.code) == ((2, "") if wanted == 200 else (4, "SourceConditionNotMet")), (condition, value, answer.status, answer.body)
