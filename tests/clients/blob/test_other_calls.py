"""What the protocol has and no call of the stock clients asks for."""
import pytest

from blob_support import send


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_metadata_alone(account, container, method):
    container.set_container_metadata({"of": "container"})
    container.upload_blob("b", b"data", metadata={"of": "blob"})
    for path, of in (("/tests?restype=container&comp=metadata", "container"), ("/tests/b?comp=metadata", "blob")):
        answer = send(account, method, path)
        assert (answer.status, answer.body, answer.headers["x-ms-meta-of"]) == (200, b"", of)
        assert answer.headers["etag"].startswith('"0x') and "last-modified" in answer.headers
    assert send(account, method, "/none?restype=container&comp=metadata").status == 404
    assert send(account, method, "/tests/none?comp=metadata").status == 404


def test_the_policy_by_head(account, container):
    container.set_container_access_policy({}, public_access="blob")
    answer = send(account, "HEAD", "/tests?restype=container&comp=acl")
    assert (answer.status, answer.body, answer.headers["x-ms-blob-public-access"]) == (200, b"", "blob")


def test_headers_of_every_answer(account, container):
    for method, path, body, headers in (("PUT", "/tests/b", b"x", {"x-ms-blob-type": "BlockBlob"}), ("GET", "/tests/b", b"", {}), ("GET", "/tests/none", b"", {}),
                                        ("GET", "/?comp=list", b"", {}), ("DELETE", "/tests/b", b"", {}), ("GET", "/tests/b?comp=nonsense", b"", {})):
        answer = send(account, method, path, body, headers | {"x-ms-client-request-id": "mine"})
        assert answer.headers["x-ms-client-request-id"] == "mine" and answer.headers["x-ms-version"] and len(answer.headers["x-ms-request-id"]) == 36
        assert answer.headers["date"].endswith("GMT") and ("x-ms-error-code" in answer.headers) == (answer.status >= 400)
