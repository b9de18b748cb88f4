"""The certificate of a server's doors changes while they are open: both doors take the new one up, and nobody is cut off."""
import contextlib
import pathlib
import shutil
import socket
import ssl
import threading
import time

import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from cryptography import x509
from serve_support import Serve
from test_inference_doors import Authority, answer_of, grpc_client, http_client, store


def place(pair: tuple, folder: pathlib.Path) -> None:
    """As an administrator does: one file, then the other."""
    for source, name in zip(pair, ("door.crt", "door.key")):
        shutil.copy(source, folder / "new")
        (folder / "new").rename(folder / name)


def shown(address: str, pair: tuple | None = None) -> int:
    """The serial number of the certificate that a door shows."""
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    if pair:
        context.load_cert_chain(*pair)
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain) as tls:
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True)).serial_number


def serial(pair: tuple) -> int:
    return x509.load_pem_x509_certificate(pair[0].read_bytes()).serial_number


def until_shown(serve: Serve, number: int, pair: tuple | None = None) -> None:
    deadline = time.monotonic() + 30
    for address in (serve.address, serve.grpc):
        while shown(address, pair) != number:
            assert time.monotonic() < deadline, (serve.folder / "serve.log").read_text()
            time.sleep(0.05)


@contextlib.contextmanager
def askers(serve: Serve, authority: Authority):
    """Four callers who ask on all the time: two on a connection that stays, two that connect each time."""
    failures, counts, stop = [], [0] * 4, threading.Event()

    def ask(index: int) -> None:
        make, module = ((http_client, triton_http), (grpc_client, triton_grpc))[index % 2]
        kept = make(serve, authority.path)
        while not stop.is_set():
            try:
                client = kept if index < 2 else make(serve, authority.path)
                assert answer_of(client, module) == [[3, -4]]
                counts[index] += 1
                if index >= 2:
                    client.close()
            except Exception as error:
                failures.append((index, repr(error)))
                return

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == [] and min(counts) > 0


@pytest.fixture
def door(tmp_path):
    authority = Authority(tmp_path, "site")
    place(authority.issue("first"), tmp_path)
    serve = Serve(tmp_path, {"tls": {"certificate": "door.crt", "key": "door.key"}})
    store(serve.data)
    with serve.running() as running:
        running.authority = authority
        yield running


def test_a_new_certificate_is_shown_and_no_request_fails(door):
    until_shown(door, serial((door.folder / "first.crt",)))
    with askers(door, door.authority) as counts:
        for name in ("second", "third"):
            pair = door.authority.issue(name)
            place(pair, door.folder)
            until_shown(door, serial(pair))
            before = list(counts)
            deadline = time.monotonic() + 30
            while any(now <= then for now, then in zip(counts, before)):
                assert time.monotonic() < deadline, "each of them goes on"
                time.sleep(0.01)


def test_what_cannot_be_used_changes_nothing(door):
    first = serial((door.folder / "first.crt",))
    log = door.folder / "serve.log"
    place((door.authority.issue("second")[0], door.folder / "first.key"), door.folder)  # the key is another's
    deadline = time.monotonic() + 30
    while "cannot be used" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert shown(door.address) == first == shown(door.grpc)
    assert answer_of(grpc_client(door, door.authority.path), triton_grpc) == [[3, -4]]
    (door.folder / "door.crt").unlink()
    pair = door.authority.issue("third")
    place(pair, door.folder)
    until_shown(door, serial(pair))
    assert "PRIVATE KEY" not in log.read_text()


def test_another_authority_of_clients_counts_from_then_on(tmp_path):
    site, plant, later = (Authority(tmp_path, name) for name in ("site", "plant", "later"))
    place(site.issue("door"), tmp_path)
    shutil.copy(plant.path, tmp_path / "clients.pem")
    old, new = plant.issue("old-client"), later.issue("new-client")
    serve = Serve(tmp_path, {"tls": {"certificate": "door.crt", "key": "door.key", "client-ca": "clients.pem"}})
    store(serve.data)
    with serve.running() as running:
        def let_in(pair) -> list[bool]:
            out = []
            for make, module in ((http_client, triton_http), (grpc_client, triton_grpc)):
                try:
                    out.append(answer_of(make(running, site.path, pair), module) == [[3, -4]])
                except Exception:
                    out.append(False)
            return out

        assert let_in(old) == [True, True] and let_in(new) == [False, False]
        shutil.copy(later.path, tmp_path / "clients.pem")
        deadline = time.monotonic() + 30
        while let_in(new) != [True, True]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert let_in(old) == [False, False]
