"""Applications of the hub, the tokens they get, and clients that use them over TLS."""
import pathlib
import time

import pytest
from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential
from azure.storage.blob import BlobServiceClient

from conftest import Hub

READER, CONTRIBUTOR, OWNER = (f"Storage Blob Data {role}" for role in ("Reader", "Contributor", "Owner"))


class TlsHub(Hub):
    """A hub whose API and blobs are there over TLS as well."""

    def __init__(self, folder: pathlib.Path, more: list[str] | None = None):
        super().__init__(folder)
        self.more = ["--listen-https", "127.0.0.1:0", "--listen-blob-https", "127.0.0.1:0", *(more or [])]

    @property
    def ca(self) -> str:
        return str(self.data / "pki/ca.crt")

    def blobs(self, account, credential, plain=False, **options) -> BlobServiceClient:
        options.setdefault("retry_total", 0)
        url = f"{self.blob_url if plain else 'https://' + self.run['blob-https']}/{account.name}"
        return BlobServiceClient(url, credential=credential, connection_verify=self.ca, **options)

    def application(self, role: str, account=None) -> dict:
        status, made = self.api("POST", "/api/v1/identity/applications",
                                {"name": "tests", "role": role} | ({"account": account.name} if account else {}))
        assert status == 201, made
        return made

    def revoke(self, application: dict) -> None:
        assert self.api("DELETE", f"/api/v1/identity/applications/{application['client_id']}")[0] == 204

    def login(self, application: dict, **options) -> ClientSecretCredential:
        """azure-identity, unmodified: it finds the token endpoint by the issuer's OpenID configuration."""
        options = {"client_secret": application["client_secret"], "tenant_id": application["tenant_id"]} | options
        return ClientSecretCredential(client_id=application["client_id"], authority=f"https://{self.run['https']}",
                                      disable_instance_discovery=True, connection_verify=self.ca, retry_total=0, **options)

    def with_role(self, role: str, account, **options) -> BlobServiceClient:
        return self.blobs(account, self.login(self.application(role)), **options)


class FixedCredential:
    """A TokenCredential that has its token already; remembers for what it was asked."""

    def __init__(self, token: str):
        self.token, self.asked = token, []

    def get_token(self, *scopes, **options) -> AccessToken:
        self.asked.append((scopes, options.get("tenant_id")))
        return AccessToken(self.token, int(time.time()) + 3600)


@pytest.fixture(scope="module")
def tls_hub(tmp_path_factory):
    hub = TlsHub(tmp_path_factory.mktemp("tls")).start()
    yield hub
    assert hub.stop() == 0, (hub.folder / "hub.log").read_text()


@pytest.fixture
def site(tls_hub):
    """An account with a container and a blob in it."""
    account = tls_hub.create_account()
    with account.client() as client:
        client.create_container("tests").upload_blob("b", b"data")
    return account
