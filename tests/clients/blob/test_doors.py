"""The doors of blob storage: addresses in host and path, the secondary one, pages of other origins."""
import copy
import http.client
import urllib.parse

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, CorsRule

from blob_support import send, signed_headers


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


def raw(account, method: str, host: str, target: str, headers: dict, body: bytes = b""):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(account.endpoint).netloc, timeout=20)
    try:
        connection.request(method, target, body or None, {"Host": host} | headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_account_in_the_host(account, container):
    container.upload_blob("b", b"data")
    host = f"{account.name}.blob.holdfast.internal"
    assert raw(account, "GET", host, "/tests/b", signed_headers(account, "GET", "/tests/b", {}, 0))[2] == b"data"
    assert raw(account, "GET", f"{account.name}-secondary.blob.localhost:10000", "/tests/b", signed_headers(account, "GET", "/tests/b", {}, 0))[2] == b"data"
    target = "/?comp=list"
    listed = raw(account, "GET", host, target, signed_headers(account, "GET", target, {}, 0))[2].decode()
    assert f'ServiceEndpoint="http://{host}/"' in listed and "<Name>tests</Name>" in listed
    assert raw(account, "GET", "other1.blob.localhost", "/tests/b", signed_headers(account, "GET", "/tests/b", {}, 0))[0] == 403


def test_both_path_forms_and_both_keys(account, container):
    container.upload_blob("b", b"data")
    host, target = urllib.parse.urlsplit(account.endpoint).netloc, f"/{account.name}/tests/b"
    for key in account.keys:
        signer = copy.copy(account)
        signer.keys = [key]
        for signed in (target, "/tests/b"):
            assert raw(account, "GET", host, target, signed_headers(signer, "GET", signed, {}, 0))[2] == b"data"
    assert raw(account, "GET", host, target, signed_headers(account, "GET", "/tests/c", {}, 0))[0] == 403


def test_secondary_reads_alone(account, container):
    container.upload_blob("b", b"data")
    credential = {"account_name": account.name, "account_key": account.key}
    for name in (credential, account.key):
        with BlobServiceClient(account.endpoint + "-secondary", credential=name, retry_total=0) as service:
            blob = service.get_blob_client("tests", "b")
            assert blob.download_blob().readall() == b"data"
            assert code(lambda: blob.upload_blob(b"x", overwrite=True)) == (403, "InsufficientAccountPermissions")
    # The client asks the second host for the stats, and keeps the path.
    here = urllib.parse.urlsplit(account.endpoint).netloc
    with BlobServiceClient(account.endpoint + "-secondary", credential=credential, secondary_hostname=here) as service:
        assert service.get_service_stats()["geo_replication"]["status"] == "live"
    with account.client(secondary_hostname=here) as service:
        assert code(service.get_service_stats) == (400, "InvalidQueryParameterValue")


def test_cors(account, service, container):
    container.upload_blob("b", b"data", metadata={"one": "1"})
    rules = [CorsRule(["https://app.example.com"], ["GET", "PUT"], allowed_headers=["x-ms-*"], exposed_headers=["x-ms-meta*"], max_age_in_seconds=77)]
    service.set_service_properties(cors=rules)
    assert service.get_service_properties()["cors"][0].max_age_in_seconds == 77
    ask = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-ms-version"}
    allowed = send(account, "OPTIONS", "/tests/b", headers=ask, sign=False)
    assert allowed.status == 200 and allowed.headers["access-control-max-age"] == "77"
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    refused = send(account, "OPTIONS", "/tests/b", headers=ask | {"Origin": "https://evil.example.com"}, sign=False)
    assert (refused.status, refused.code) == (403, "CorsPreflightFailure")
    got = send(account, "GET", "/tests/b", headers={"Origin": "https://app.example.com"})
    assert got.headers["access-control-expose-headers"] == "x-ms-meta-one" and got.body == b"data"
    assert send(account, "GET", "/tests/none", headers={"Origin": "https://app.example.com"}).headers["access-control-allow-origin"]
    assert "access-control-allow-origin" not in send(account, "GET", "/tests/b").headers
    assert code(lambda: service.set_service_properties(cors=[CorsRule(["*"], ["FETCH"])])) == (400, "InvalidXmlDocument")
