"""Bearer tokens of the hub's own issuer, which are taken over TLS alone, and the three roles."""
import urllib.error
import urllib.request
import http.client
import ssl

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import BlobClient

from token_support import CONTRIBUTOR, OWNER, READER, FixedCredential, site, tls_hub  # noqa: F401


def code(call) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error_code


REFUSED = (403, "AuthorizationPermissionMismatch")


def raw(hub, target: str, headers: dict, door="blob-https"):
    """One request over TLS (or plain) as no client sends it."""
    host = hub.run[door]
    connection = http.client.HTTPConnection(host, timeout=20) if door == "blob" else http.client.HTTPSConnection(
        host, timeout=20, context=ssl.create_default_context(cafile=hub.ca))
    try:
        connection.request("GET", target, headers={"x-ms-version": "2021-12-02"} | headers)
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def test_a_client_secret_opens_what_its_role_does(tls_hub, site):  # noqa: F811
    with tls_hub.with_role(READER, site) as reader, tls_hub.with_role(CONTRIBUTOR, site) as writer, tls_hub.with_role(OWNER, site) as owner:
        for service in (reader, writer, owner):
            assert service.get_blob_client("tests", "b").download_blob().readall() == b"data"
            assert [c.name for c in service.list_containers()] == ["tests"]
            assert [b.name for b in service.get_container_client("tests").list_blobs()] == ["b"]
            assert service.get_account_information()["account_kind"] == "StorageV2"
        blob = reader.get_blob_client("tests", "b")
        for call in (lambda: blob.upload_blob(b"x", overwrite=True), blob.delete_blob, lambda: blob.set_blob_metadata({"a": "1"}), blob.create_snapshot,
                     lambda: blob.acquire_lease(), lambda: reader.create_container("no"), blob.get_blob_tags, reader.get_service_properties):
            assert code(call) == REFUSED
        blob = writer.get_blob_client("tests", "w")
        blob.upload_blob(b"one")
        blob.stage_block("aaaa", b"two")
        blob.commit_block_list(["aaaa"])
        blob.set_blob_metadata({"a": "1"})
        blob.acquire_lease().release()
        writer.create_container("made").delete_container()
        for call in (blob.get_blob_tags, lambda: blob.set_blob_tags({"a": "1"}), lambda: blob.upload_blob(b"x", overwrite=True, tags={"a": "1"}),
                     lambda: list(writer.find_blobs_by_tags("a='1'")), lambda: writer.set_service_properties(cors=[]),
                     writer.get_container_client("tests").get_container_access_policy):
            assert code(call) == REFUSED
        owned = owner.get_blob_client("tests", "w")
        owned.set_blob_tags({"a": "1"})
        assert [b.name for b in owner.find_blobs_by_tags("a='1'")] == ["w"]
        owner.set_service_properties(cors=[])
        owned.delete_blob()
        # What is signed, not borne, is as it was: the list of policies is for the holder of the key.
        assert code(owner.get_container_client("tests").get_container_access_policy) == REFUSED


def test_an_application_of_one_account(tls_hub, site):  # noqa: F811
    other = tls_hub.create_account()
    login = tls_hub.login(tls_hub.application(OWNER, site))
    with tls_hub.blobs(site, login) as mine, tls_hub.blobs(other, login) as theirs:
        assert mine.get_blob_client("tests", "b").download_blob().readall() == b"data"
        assert code(lambda: list(theirs.list_containers())) == REFUSED


def test_tokens_of_the_hub(tls_hub, site):  # noqa: F811
    admin = FixedCredential((tls_hub.data / "token").read_text().strip())
    with tls_hub.blobs(site, admin) as service:
        service.create_container("admins").upload_blob("x", b"1", tags={"a": "1"})
        assert admin.asked[0][0] == ("https://storage.azure.com/.default",)


def test_the_challenge(tls_hub, site):  # noqa: F811
    """The SDK follows it: it asks for a token of the resource and tenant that the 401 names."""
    wrong = FixedCredential("nonsense")
    with tls_hub.blobs(site, wrong) as service:
        assert code(lambda: list(service.list_containers())) == (401, "InvalidAuthenticationInfo")
    tenant = tls_hub.application(READER)["tenant_id"]
    assert wrong.asked[-1] == (("https://storage.azure.com/.default",), tenant)
    answer = raw(tls_hub, f"/{site.name}/tests/b", {})
    assert answer.status == 401 and answer.headers["x-ms-error-code"] == "NoAuthenticationInformation"
    assert answer.headers["WWW-Authenticate"] == (
        f"Bearer authorization_uri=https://{tls_hub.run['https']}/{tenant}/oauth2/authorize resource_id=https://storage.azure.com")


def test_never_without_tls(tls_hub, site):  # noqa: F811
    token = tls_hub.login(tls_hub.application(READER)).get_token("https://storage.azure.com/.default").token
    header = {"Authorization": f"Bearer {token}"}
    assert raw(tls_hub, f"/{site.name}/tests/b", header).status == 200
    plain = raw(tls_hub, f"/{site.name}/tests/b", header, "blob")
    assert plain.status == 403 and plain.headers["x-ms-error-code"] == "AuthenticationFailed"
    for changed in (token[:-4] + "AAAA", token.rsplit(".", 1)[0] + ".", "", "Bearer"):
        assert raw(tls_hub, f"/{site.name}/tests/b", {"Authorization": f"Bearer {changed}"}).status == 401
    # A token of blobs opens nothing of the hub itself.
    assert tls_hub.api("GET", "/api/v1/storage/accounts", token=token)[0] == 403


def test_revoked(tls_hub, site):  # noqa: F811
    application = tls_hub.application(OWNER)
    login = tls_hub.login(application)
    with tls_hub.blobs(site, login) as service:
        assert [c.name for c in service.list_containers()] == ["tests"]
        tls_hub.revoke(application)
        assert code(lambda: list(service.list_containers())) == (401, "InvalidAuthenticationInfo")
    with pytest.raises(ClientAuthenticationError):
        tls_hub.login(application).get_token("https://storage.azure.com/.default")
    assert tls_hub.api("DELETE", f"/api/v1/identity/applications/{application['client_id']}")[0] == 404


def test_the_token_endpoint_refuses(tls_hub):  # noqa: F811
    application = tls_hub.application(READER)
    for login, scope in ((tls_hub.login(application, client_secret="wrong"), "https://storage.azure.com/.default"),
                         (tls_hub.login(application), "https://vault.azure.net/.default")):
        with pytest.raises(ClientAuthenticationError):
            login.get_token(scope)
    url = f"http://{tls_hub.run['http']}/{application['tenant_id']}/oauth2/v2.0/token"
    body = f"grant_type=client_credentials&client_id={application['client_id']}&client_secret={application['client_secret']}&scope=https://storage.azure.com/.default"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(urllib.request.Request(url, body.encode()), timeout=20)
    assert error.value.code == 400
    assert tls_hub.api("POST", "/api/v1/identity/applications", {"name": "x", "role": "admin"})[0] == 400
    assert application["client_secret"] not in (tls_hub.folder / "hub.log").read_text()


def test_copies_by_token(tls_hub, site):  # noqa: F811
    other = tls_hub.create_account()
    with other.client() as client:
        client.create_container("src").upload_blob("far", b"far away")
    both = tls_hub.login(tls_hub.application(CONTRIBUTOR))
    with tls_hub.blobs(site, both) as here, tls_hub.blobs(other, both) as there:
        here.get_blob_client("tests", "near").start_copy_from_url(here.get_blob_client("tests", "b").url)
        here.get_blob_client("tests", "far").start_copy_from_url(there.get_blob_client("src", "far").url)
        assert here.get_blob_client("tests", "far").download_blob().readall() == b"far away"
    one = tls_hub.login(tls_hub.application(CONTRIBUTOR, site))
    with tls_hub.blobs(site, one) as here:
        url = f"https://{tls_hub.run['blob-https']}/{other.name}/src/far"
        assert code(lambda: here.get_blob_client("tests", "no").start_copy_from_url(url)) == (403, "CannotVerifyCopySource")


def test_batches_by_token(tls_hub, site):  # noqa: F811
    with tls_hub.with_role(CONTRIBUTOR, site) as service:
        container = service.get_container_client("tests")
        for name in "xyz":
            container.upload_blob(name, b"1")
        assert [r.status_code for r in container.delete_blobs("x", "y", "z")] == [202] * 3
    with tls_hub.with_role(READER, site) as service:
        parts = service.get_container_client("tests").delete_blobs("b", raise_on_any_failure=False)
        assert [r.status_code for r in parts] == [403]


def test_anyone_over_tls(tls_hub, site):  # noqa: F811
    with site.client() as client:
        client.get_container_client("tests").set_container_access_policy({}, public_access="blob")
    url = f"https://{tls_hub.run['blob-https']}/{site.name}"
    with BlobClient(url, "tests", "b", connection_verify=tls_hub.ca, retry_total=0) as blob:
        assert blob.download_blob().readall() == b"data"
