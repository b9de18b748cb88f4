"""TLS, client certificates and tokens on both doors: unmodified tritonclient and grpcio, and who is not let in."""
import datetime
import ipaddress
import json
import pathlib
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import gevent.ssl
import grpc
import jwt
import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from serve_support import BIN, Serve, scale_model
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

READER, ADMIN = "reader-key-0123456789", "admin-key-0123456789"
ROWS = numpy.array([[1.5, -2.0]], numpy.float32)


class Authority:
    """A certificate authority of the customer's own, as files."""

    def __init__(self, folder: pathlib.Path, name: str):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=None), True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject, key, extension, critical):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(extension, critical).sign(self.key, hashes.SHA256()))

    def issue(self, name: str) -> tuple[pathlib.Path, pathlib.Path]:
        """(certificate, key) of a server on 127.0.0.1, or of a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key(), names, False)
        paths = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return paths


def http_client(serve, ca=None, pair=None) -> triton_http.InferenceServerClient:
    if ca is None:
        return triton_http.InferenceServerClient(serve.address)
    options = {"ca_certs": str(ca), "cert_reqs": ssl.CERT_REQUIRED}
    if pair:
        options |= {"certfile": str(pair[0]), "keyfile": str(pair[1])}
    return triton_http.InferenceServerClient(serve.address, ssl=True, ssl_options=options, ssl_context_factory=gevent.ssl.create_default_context)


def grpc_client(serve, ca, pair=(None, None)) -> triton_grpc.InferenceServerClient:
    return triton_grpc.InferenceServerClient(serve.grpc, ssl=True, root_certificates=str(ca), certificate_chain=pair[0] and str(pair[0]),
                                             private_key=pair[1] and str(pair[1]))


def answer_of(client, module, headers=None) -> list:
    tensor = module.InferInput("x", list(ROWS.shape), "FP32")
    tensor.set_data_from_numpy(ROWS)
    return client.infer("scale", [tensor], headers=headers).as_numpy("y").tolist()


def store(data: pathlib.Path) -> None:
    """The model lies in the server's folder before it starts."""
    folder = data / "models/scale/1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(scale_model(2))


def token(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def grpc_token(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """TLS by the server's own authority, and no tokens."""
    serve = Serve(tmp_path_factory.mktemp("own"), {"tls": {"names": ["press-07.example"]}})
    store(serve.data)
    with serve.running() as running:
        yield running


def test_stock_clients_over_tls_of_the_servers_own_authority(own):
    ca = own.data / "pki/ca.crt"
    assert answer_of(http_client(own, ca), triton_http) == [[3, -4]]
    assert answer_of(grpc_client(own, ca), triton_grpc) == [[3, -4]]
    context = ssl.create_default_context(cafile=ca)
    with urllib.request.urlopen(f"https://{own.address}/metrics", context=context, timeout=10) as answer:
        assert b"nv_inference_request_success" in answer.read()
    leaf = x509.load_pem_x509_certificate((own.data / "pki/serve.crt").read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "press-07.example" in names.get_values_for_type(x509.DNSName) and (own.data / "pki/serve.key").stat().st_mode & 0o077 == 0


def test_who_trusts_another_authority_and_who_speaks_plain_gets_nothing(own, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    with pytest.raises(Exception, match="(?i)certificate"):
        answer_of(http_client(own, stranger.path), triton_http)
    with pytest.raises(InferenceServerException) as error:
        answer_of(grpc_client(own, stranger.path), triton_grpc)
    assert error.value.status() == "StatusCode.UNAVAILABLE"
    with pytest.raises(Exception):
        answer_of(http_client(own), triton_http)
    with pytest.raises(InferenceServerException):
        triton_grpc.InferenceServerClient(own.grpc).is_server_live(client_timeout=2)
    assert answer_of(http_client(own, own.data / "pki/ca.crt"), triton_http) == [[3, -4]]


@pytest.fixture(scope="module")
def mutual(tmp_path_factory):
    """The customer's certificate, and only clients with one of the customer's too."""
    folder = tmp_path_factory.mktemp("mutual")
    site, plant = Authority(folder, "site"), Authority(folder, "plant")
    certificate, key = site.issue("server")
    serve = Serve(folder, {"tls": {"certificate": certificate.name, "key": key.name, "client-ca": plant.path.name}})
    store(serve.data)
    with serve.running() as running:
        running.site, running.client = site, plant.issue("press-07")
        running.stranger = Authority(folder, "stranger").issue("nobody")
        yield running


def test_a_certificate_of_the_named_authority_lets_in(mutual):
    assert answer_of(http_client(mutual, mutual.site.path, mutual.client), triton_http) == [[3, -4]]
    assert answer_of(grpc_client(mutual, mutual.site.path, mutual.client), triton_grpc) == [[3, -4]]


@pytest.mark.parametrize("which", ["none", "stranger"])
def test_no_certificate_and_a_strangers_do_not(mutual, which):
    pair = mutual.stranger if which == "stranger" else None
    with pytest.raises(Exception):
        answer_of(http_client(mutual, mutual.site.path, pair), triton_http)
    with pytest.raises(InferenceServerException) as error:
        answer_of(grpc_client(mutual, mutual.site.path, pair or (None, None)), triton_grpc)
    assert error.value.status() == "StatusCode.UNAVAILABLE"


def test_a_session_of_a_verified_client_is_resumed(mutual):
    context = ssl.create_default_context(cafile=mutual.site.path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 hands its sessions out later
    context.load_cert_chain(*mutual.client)
    host, port = mutual.address.split(":")
    session = None
    for resumed in (False, True):
        import socket
        with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain, server_hostname=host, session=session) as tls:
            tls.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert tls.recv(64).startswith(b"HTTP/1.1 200")
            assert tls.session_reused == resumed
            session = tls.session


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """Keys from a file, and tokens of an issuer whose public key is known."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keys").write_text(f"# who may\npress-07 reader {READER}\nops admin {ADMIN}\n")
    issuer = ec.generate_private_key(ec.SECP256R1())
    (folder / "issuer.pub").write_bytes(issuer.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    serve = Serve(folder, {"tls": {}, "tokens": {"keys": "keys", "issuer": "hub.example", "issuer-key": "issuer.pub"}})
    store(serve.data)
    with serve.running() as running:
        running.issuer, running.ca = issuer, running.data / "pki/ca.crt"
        yield running


def issued(serve, key=None, **claims) -> str:
    now = int(time.time())
    body = {"iss": "hub.example", "aud": "hub.example", "sub": "ann", "role": "reader", "iat": now, "exp": now + 600}
    return jwt.encode(body | claims, key or serve.issuer, algorithm="ES256")


def test_keys_and_tokens_let_in(keyed):
    for key in (READER, ADMIN, issued(keyed), issued(keyed, role="admin"), issued(keyed)):
        assert answer_of(http_client(keyed, keyed.ca), triton_http, token(key)) == [[3, -4]]
        assert answer_of(grpc_client(keyed, keyed.ca), triton_grpc, grpc_token(key)) == [[3, -4]]


@pytest.mark.parametrize("wrong", ["none", "other", "prefix", "expired", "forged", "unsigned", "audience", "role"])
def test_no_key_and_wrong_ones_do_not(keyed, wrong):
    stranger = ec.generate_private_key(ec.SECP256R1())
    body = issued(keyed).split(".")
    key = {"none": None, "other": READER + "0", "prefix": READER[:-1], "expired": issued(keyed, exp=int(time.time()) - 120),
           "forged": issued(keyed, stranger), "audience": issued(keyed, aud="elsewhere"), "role": issued(keyed, role="storage"),
           "unsigned": jwt.encode(jwt.decode(".".join(body), options={"verify_signature": False}), None, algorithm="none")}[wrong]
    status, code = ("403", "PERMISSION_DENIED") if wrong == "role" else ("401", "UNAUTHENTICATED")
    with pytest.raises(InferenceServerException) as error:
        answer_of(http_client(keyed, keyed.ca), triton_http, token(key) if key else None)
    assert error.value.status() == status and error.value.message()
    with pytest.raises(InferenceServerException) as error:
        answer_of(grpc_client(keyed, keyed.ca), triton_grpc, grpc_token(key) if key else None)
    assert error.value.status() == f"StatusCode.{code}"
    assert key is None or key not in (keyed.folder / "serve.log").read_text()


def test_a_token_that_expires_is_refused_though_it_was_known(keyed):
    short = issued(keyed, exp=int(time.time()) - 58)  # a minute of difference between clocks is allowed
    client = http_client(keyed, keyed.ca)
    assert answer_of(client, triton_http, token(short)) == [[3, -4]]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            answer_of(client, triton_http, token(short))
        except InferenceServerException as error:
            assert error.status() == "401"
            return
        time.sleep(0.2)
    raise AssertionError("it is still taken")


def test_only_admins_change_the_server(keyed):
    reader, admin = http_client(keyed, keyed.ca), http_client(keyed, keyed.ca)
    for call in (lambda key: reader.load_model("scale", headers=token(key)), lambda key: reader.update_log_settings({"log_verbose_level": 0}, headers=token(key)),
                 lambda key: reader.unload_model("scale", headers=token(key))):
        with pytest.raises(InferenceServerException) as error:
            call(READER)
        assert error.value.status() == "403"
    client = grpc_client(keyed, keyed.ca)
    for call in (lambda key: client.load_model("scale", headers=grpc_token(key)), lambda key: client.unload_model("scale", headers=grpc_token(key)),
                 lambda key: client.update_log_settings({"log_verbose_level": 0}, headers=grpc_token(key))):
        with pytest.raises(InferenceServerException) as error:
            call(READER)
        assert error.value.status() == "StatusCode.PERMISSION_DENIED"
        call(ADMIN)
        client.load_model("scale", headers=grpc_token(ADMIN))
    assert client.get_log_settings(headers=grpc_token(READER)).settings["log_info"].bool_param
    admin.load_model("scale", headers=token(ADMIN))


def test_every_call_but_health_asks_for_a_token(keyed):
    credentials = grpc.ssl_channel_credentials(keyed.ca.read_bytes())
    with grpc.secure_channel(keyed.grpc, credentials) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
        assert len(service.methods) > 15
        for method in service.methods:
            call, request = getattr(stub, method.name), getattr(service_pb2, method.input_type.name)()
            try:
                list(call(iter([request]))) if method.name == "ModelStreamInfer" else call(request)
                code = grpc.StatusCode.OK
            except grpc.RpcError as error:
                code = error.code()
            expected = grpc.StatusCode.OK if method.name in ("ServerLive", "ServerReady") else grpc.StatusCode.UNAUTHENTICATED
            # What the protocol got since is not there, whoever asks.
            assert code == expected or code == grpc.StatusCode.UNIMPLEMENTED, method.name


def test_every_path_but_health_asks_for_a_token(keyed):
    context = ssl.create_default_context(cafile=keyed.ca)

    def status(path: str, method: str = "GET", key: str | None = None) -> tuple[int, str | None]:
        request = urllib.request.Request(f"https://{keyed.address}{path}", method=method, headers=token(key) if key else {}, data=b"{}" if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                return answer.status, None
        except urllib.error.HTTPError as error:
            assert json.load(error)["error"]
            return error.code, error.headers.get("WWW-Authenticate")

    for path in ("/", "/healthz", "/v2/health/live", "/v2/health/ready"):
        assert status(path) == (200, None) and status(path, key="a-wrong-key-0123456789")[0] == 200, path
    for path in ("/v2", "/metrics", "/v2/models/scale", "/v2/models/scale/ready", "/v2/models/scale/config", "/v2/models/stats", "/v2/logging", "/api/v1/models",
                 "/api/v1/status", "/v2/trace/setting", "//v2/health/live/../../models/scale"):
        assert status(path)[0] in (401, 404) and status(path)[0] == (404 if path.startswith("//") else 401), path
    for path in ("/score", "/v2/repository/index", "/v2/models/scale/infer", "/v2/repository/models/scale/load", "/v2/logging"):
        assert status(path, "POST") == (401, "Bearer"), path
    assert status("/metrics", key=READER) == (200, None)


@pytest.mark.parametrize("config, wanted", [
    ({"listen": {"http": "0.0.0.0:0"}}, "listen.http: 0.0.0.0:0 is not loopback, and this door has no TLS"),
    ({"listen": {"grpc": "0.0.0.0:0"}, "tls": {}}, "listen.grpc: 0.0.0.0:0 is not loopback, and everybody may come in"),
    ({"listen": {"http": "0.0.0.0:0", "grpc": "0.0.0.0:0"}, "tls": {}, "tokens": {"keys": "keys"}}, None),
    ({"listen": {"http": "0.0.0.0:0"}, "tls": {"client-ca": "ca.pem"}}, None),
    ({"listen": {"http": "0.0.0.0:0"}, "plain_http_beyond_loopback": True}, None),
    ({"tls": {"certificate": "a.pem"}}, "come together"),
    ({"tokens": {"issuer": "hub"}}, "come together"),
    ({"tls": {"cert": "a.pem"}}, "tls.cert: is not a known key"),
], ids=lambda value: None)
def test_what_a_configuration_may_open(tmp_path, config, wanted):
    (tmp_path / "serve.yaml").write_text(json.dumps(config))
    done = subprocess.run([BIN / "holdfast-serve", "--check", "--config", tmp_path / "serve.yaml", "--data", tmp_path / "data"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == ((2, "") if wanted else (0, "ok\n")), done.stderr
    assert (wanted or "") in done.stderr
