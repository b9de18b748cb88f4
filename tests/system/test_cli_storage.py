"""holdfast storage as users run it: uploads and downloads that are killed and go on, copies between places, folders levelled
with containers, signatures."""
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, BlobServiceClient
from test_cli import BIN, CONFLICT, DENIED, NOT_FOUND, PLAIN, UNREACHABLE, USAGE, Up, until

MIB = 1 << 20
PARTLY = 7


class Gate:
    """A way to the blob service that lets `limit` bytes through and then holds all until it is opened."""
    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.target, self.limit, self.passed = (host, int(port)), None, 0
        self.open = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def hold_after(self, limit: int | None) -> None:
        self.limit, self.passed = limit, 0
        self.open.clear() if limit is not None else self.open.set()

    def accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(self.target)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    def pump(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(64 << 10):
                if self.limit is not None and self.passed > self.limit:
                    self.open.wait()
                    break  # its client was killed meanwhile: what waited here counts for no one
                self.passed += len(data)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def held(self) -> bool:
        return self.limit is not None and self.passed > self.limit


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    up = Up(tmp_path_factory.mktemp("storage") / "data")
    yield up
    up("down")


@pytest.fixture(scope="module")
def gate(up):
    return Gate(up.run("hub")["blob"])


@pytest.fixture(scope="module")
def service(up) -> BlobServiceClient:
    keys = up.json("storage", "account", "keys", "site1")
    return BlobServiceClient(f"http://{up.run('hub')['blob']}/site1", credential=keys[0]["value"], retry_total=0)


@pytest.fixture
def container(service):
    return service.create_container("c" + os.urandom(6).hex())


@pytest.fixture
def tree(tmp_path) -> pathlib.Path:
    generator = random.Random(5)
    for name in ("a.txt", "d/b.bin", "d/e/ü c+%.bin", "d/empty", "big.bin"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(generator.randbytes({"d/empty": 0, "big.bin": 3 * MIB + 7}.get(name, 5000)))
    return tmp_path / "tree"


def files_of(root: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def blobs_of(container) -> dict[str, bytes]:
    return {blob.name: container.download_blob(blob.name).readall() for blob in container.list_blobs()}


def start(up, *words) -> subprocess.Popen:
    return subprocess.Popen([BIN / "holdfast", *map(str, words), "--data", up.data], env=PLAIN, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill_after(up, gate, passed: int, words: list, settle: float = 0) -> None:
    """Runs the command until so many bytes went through the gate, gives it `settle` seconds to write what came, kills it and opens the gate."""
    gate.hold_after(passed)
    run = start(up, *words)
    until(gate.held)
    time.sleep(settle)
    run.kill()
    run.wait()
    gate.hold_after(None)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_upload_goes_on(up, gate, container, tmp_path, how):
    source = tmp_path / "big.bin"
    source.write_bytes(random.Random(1).randbytes(24 * MIB + 1))
    words = ["storage", "blob", "upload", source, "--container", container.container_name, "--piece", "1MiB", "--blob", gate.url]
    gate.hold_after(12 * MIB)
    run = start(up, *words)
    until(gate.held)
    run.send_signal(how)
    assert run.wait(timeout=20) == -how
    gate.hold_after(None)
    blob = container.get_blob_client("big.bin")
    assert not blob.exists()
    there = until(lambda: blob.get_block_list("uncommitted")[1])
    assert 4 <= len(there) < 25
    again = json.loads(up(*words, "-o", "json").stdout)
    assert again["resumed_bytes"] >= 4 * MIB and gate.passed < 24 * MIB - again["resumed_bytes"] + 2 * MIB
    assert blob.download_blob().readall() == source.read_bytes()
    assert blob.get_blob_properties().content_settings.content_md5 == hashlib.md5(source.read_bytes()).digest()


def test_a_resumed_upload_sends_what_changed(up, gate, container, tmp_path):
    source = tmp_path / "big.bin"
    data = bytearray(random.Random(2).randbytes(8 * MIB))
    source.write_bytes(data)
    words = ["storage", "blob", "upload", source, "--container", container.container_name, "--piece", "1MiB", "--parallel", "1", "--blob", gate.url]
    kill_after(up, gate, 4 * MIB, words)
    data[10] ^= 1  # in the first block, which arrived
    source.write_bytes(data)
    assert json.loads(up(*words, "-o", "json").stdout)["resumed_bytes"] < 4 * MIB
    assert container.download_blob("big.bin").readall() == bytes(data)


def test_a_killed_download_goes_on(up, gate, container, tmp_path):
    data = random.Random(3).randbytes(24 * MIB + 1)
    container.upload_blob("in/big.bin", data)
    words = ["storage", "blob", "download", "in/big.bin", "--container", container.container_name, "--file", tmp_path / "big.bin",
             "--piece", "1MiB", "--blob", gate.url]
    kill_after(up, gate, 12 * MIB, words, settle=0.2)
    assert not (tmp_path / "big.bin").exists() and len(os.listdir(tmp_path)) == 2
    told = up(*words).stderr
    assert "from a run before" in told and gate.passed < 20 * MIB
    assert (tmp_path / "big.bin").read_bytes() == data and os.listdir(tmp_path) == ["big.bin"]


def test_a_blob_that_changed_is_fetched_from_its_beginning(up, gate, container, tmp_path):
    container.upload_blob("b", b"a" * (8 * MIB))
    words = ["storage", "blob", "download", "b", "--container", container.container_name, "--file", tmp_path / "b", "--piece", "1MiB", "--blob", gate.url]
    kill_after(up, gate, 4 * MIB, words)
    container.upload_blob("b", b"b" * (8 * MIB), overwrite=True)
    up(*words)
    assert (tmp_path / "b").read_bytes() == b"b" * (8 * MIB)


def test_memory_does_not_grow_with_the_file(up, container, tmp_path):
    with open(tmp_path / "large", "wb") as out:
        out.truncate(300 * MIB)
    peaks = []
    for words in (["storage", "blob", "upload", tmp_path / "large", "--container", container.container_name],
                  ["storage", "blob", "download", "large", "--container", container.container_name, "--file", tmp_path / "back"]):
        run = start(up, *words)
        peaks.append(0)
        while run.poll() is None:
            if found := re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{run.pid}/status").read_text()):
                peaks[-1] = int(found[1]) * 1024
            time.sleep(0.005)
        assert run.returncode == 0
    assert (tmp_path / "back").stat().st_size == 300 * MIB and 0 < min(peaks) and max(peaks) < 40 * MIB, peaks


def test_upload_options(up, container, tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n")
    words = ["storage", "blob", "upload", tmp_path / "x.csv", "--container", container.container_name, "--content-type", "text/csv",
             "--metadata", "line=7", "--metadata", "note=a=b", "--no-overwrite"]
    up(*words)
    properties = container.get_blob_client("x.csv").get_blob_properties()
    assert properties.metadata == {"line": "7", "note": "a=b"} and properties.content_settings.content_type == "text/csv"
    assert "BlobAlreadyExists" in up(*words, code=CONFLICT).stderr
    assert "NAME=VALUE" in up(*words[:-1], "--metadata", "=x", code=USAGE).stderr
    up("storage", "blob", "upload", tmp_path / "none", "--container", container.container_name, code=NOT_FOUND)
    up("storage", "blob", "upload", tmp_path, "--container", container.container_name, code=1)
    assert "ContainerNotFound" in up("storage", "blob", "upload", tmp_path / "x.csv", "--container", "nowhere", code=NOT_FOUND).stderr


def test_a_folder_is_levelled_with_a_container(up, container, tree):
    place = f"blob://site1/{container.container_name}"

    def sync(*more) -> dict:
        return json.loads(up("storage", "sync", *more, "-o", "json").stdout)
    first = sync(tree, place)
    assert (first["sent"], first["same"], first["failed"]) == (5, 0, 0) and blobs_of(container) == files_of(tree)
    assert (sync(tree, place)["sent"], sync(tree, place)["same"]) == (0, 5)
    # Of one size but another content; touched but the same; new; gone.
    (tree / "a.txt").write_bytes(b"x" * 5000)
    os.utime(tree / "d/b.bin")
    (tree / "new").write_text("new")
    (tree / "d/empty").unlink()
    (tree / "link").symlink_to("new")
    planned = {(row["action"], row["name"]) for row in sync(tree, place, "--delete", "--dry-run")}
    assert planned == {("send", "a.txt"), ("send", "new"), ("delete", "d/empty")}
    second = sync(tree, place)
    assert (second["sent"], second["same"], second["deleted"], second["left_out"]) == (2, 3, 0, 1)
    assert "--yes" in up("storage", "sync", tree, place, "--delete", code=USAGE).stderr and "d/empty" in blobs_of(container)
    assert sync(tree, place, "--delete", "--yes")["deleted"] == 1
    (tree / "link").unlink()
    assert blobs_of(container) == files_of(tree)


def test_a_container_is_levelled_with_a_folder(up, container, tmp_path):
    for name in ("p/a", "p/d/b", "p/d/c", "other"):
        container.upload_blob(name, name.encode() * 1000)
    back, place = tmp_path / "back", f"blob://site1/{container.container_name}/p"
    up("storage", "sync", place, back)
    assert files_of(back) == {name[2:]: name.encode() * 1000 for name in ("p/a", "p/d/b", "p/d/c")}
    container.delete_blob("p/d/b")
    container.delete_blob("p/d/c")
    container.upload_blob("p/a", b"b/a" * 1000, overwrite=True)  # of the same size
    done = json.loads(up("storage", "sync", place, back, "--delete", "--yes", "-o", "json").stdout)
    assert (done["sent"], done["deleted"]) == (1, 2) and files_of(back) == {"a": b"b/a" * 1000} and not (back / "d").exists()


def test_names_that_lead_out_are_refused(up, container, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("good", "/etc/x", "a//b", "dir/", "link/x"):
        container.upload_blob(name, b"x")
    (tmp_path / "x").write_text("x")
    for name in ("../outside/x", "d/../../outside/x", "./x"):  # the client above would not send these
        up("storage", "blob", "upload", tmp_path / "x", "--container", container.container_name, "--name", name)
    back = tmp_path / "back"
    back.mkdir()
    (back / "link").symlink_to(outside)
    done = up("storage", "sync", f"blob://site1/{container.container_name}", back, "-o", "json", code=PARTLY)
    names = {failure["name"] for failure in json.loads(done.stdout)["failures"]}
    assert names == {"../outside/x", "d/../../outside/x", "./x", "/etc/x", "a//b", "dir/", "link/x"}
    assert files_of(back) == {"good": b"x"} and os.listdir(outside) == []


def test_copies(up, service, container, tmp_path):
    name = container.container_name
    (tmp_path / "a.bin").write_bytes(os.urandom(3 * MIB))
    up("storage", "copy", tmp_path / "a.bin", f"blob://site1/{name}/in/")
    done = json.loads(up("storage", "copy", f"blob://site1/{name}/in/a.bin", f"blob://site1/{name}/out", "-o", "json").stdout)
    assert done["by_service"] is True and container.download_blob("out").readall() == (tmp_path / "a.bin").read_bytes()
    # Another account of the same hub: the source is signed for the service.
    account = "t" + os.urandom(6).hex()
    up("storage", "account", "create", account)
    up("storage", "container", "create", "there", "--account", account)
    done = json.loads(up("storage", "copy", f"blob://site1/{name}/out", f"blob://{account}/there/", "-o", "json").stdout)
    assert done["by_service"] is True and done["target"] == f"blob://{account}/there/out"
    # By a signed URL, and back to a folder.
    url = up.json("storage", "sas", "create", "--container", name, "--blob", "out")["url"]
    up("storage", "copy", url, f"{tmp_path}/from/", code=NOT_FOUND)
    (tmp_path / "from").mkdir()
    told = up("storage", "copy", url, f"{tmp_path}/from/", "-o", "json")
    assert (tmp_path / "from/out").read_bytes() == (tmp_path / "a.bin").read_bytes() and "sig=" not in told.stdout + told.stderr


def test_a_copy_between_services_comes_through_here(up, gate, container, tmp_path):
    """The service does not read from an address that is not its own, so the bytes take the other way."""
    gate.hold_after(None)
    data = os.urandom(3 * MIB + 5)
    container.upload_blob("a", data, metadata={"k": "v"})
    url = up.json("storage", "sas", "create", "--container", container.container_name, "--blob", "a")["url"]
    other = url.replace(f"http://{up.run('hub')['blob']}", gate.url)
    assert other != url
    done = json.loads(up("storage", "copy", other, f"blob://site1/{container.container_name}/b", "--piece", "1MiB", "-o", "json").stdout)
    assert done["by_service"] is False
    copied = container.get_blob_client("b")
    assert copied.download_blob().readall() == data and copied.get_blob_properties().metadata == {"k": "v"}
    assert len(copied.get_block_list()[0]) == 4


def test_whole_containers_are_copied(up, service, container, tree):
    place = f"blob://site1/{container.container_name}"
    up("storage", "copy", "--recursive", tree, f"{place}/one")
    up("storage", "sync", f"{place}/one", f"{place}/two")
    again = json.loads(up("storage", "sync", f"{place}/one", f"{place}/two", "-o", "json").stdout)
    assert (again["sent"], again["same"]) == (0, 5)
    assert {name[4:]: data for name, data in blobs_of(container).items() if name.startswith("two/")} == files_of(tree)


def test_public_blobs_need_no_key(up, container, tmp_path):
    container.upload_blob("b", b"public")
    url = f"http://{up.run('hub')['blob']}/site1/{container.container_name}/b"
    nobody = tmp_path / "nobody"
    words = ["storage", "copy", url, tmp_path / "got", "--data", nobody]
    run = subprocess.run([BIN / "holdfast", *map(str, words)], env=PLAIN, capture_output=True, text=True)
    assert run.returncode == DENIED and "NoAuthenticationInformation" in run.stderr
    container.set_container_access_policy({}, public_access="blob")
    assert subprocess.run([BIN / "holdfast", *map(str, words)], env=PLAIN).returncode == 0 and (tmp_path / "got").read_bytes() == b"public"


@pytest.mark.parametrize("source, target, code, word", [
    ("a", "b", USAGE, "blob://"), ("blob://site1", "x", USAGE, "names no container"),
    ("blob://site1/none/x", "x", NOT_FOUND, "no such container"),
    ("blob://nobody/c/x", "x", NOT_FOUND, "nobody"), ("none", "blob://site1/c/x", NOT_FOUND, "none"), ("blob://site1/c", "x", USAGE, "--recursive"),
    ("http://127.0.0.1:1/site1/c/x?sig=secret", "x", UNREACHABLE, "127.0.0.1")])
def test_errors_say_what_is_wrong(up, tmp_path, source, target, code, word):
    done = subprocess.run([BIN / "holdfast", "storage", "copy", source, target, "--data", up.data], env=PLAIN, cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == code and word.lower() in done.stderr.lower() and "secret" not in done.stderr, done.stderr
    assert os.listdir(tmp_path) == []


def test_signatures_keep_their_limits(up, container):
    container.upload_blob("b", b"data")
    words = ["storage", "sas", "create", "--container", container.container_name, "--blob", "b"]
    assert BlobClient.from_blob_url(up.json(*words, "--ip", "127.0.0.1")["url"]).download_blob().readall() == b"data"
    for more, code in ((["--ip", "10.0.0.1"], "AuthorizationSourceIPMismatch"), (["--https-only"], "AuthorizationProtocolMismatch"),
                       (["--start", "2099-01-01"], "AuthenticationFailed")):
        with pytest.raises(HttpResponseError) as error:
            BlobClient.from_blob_url(up.json(*words, *more)["url"], retry_total=0).download_blob()
        assert error.value.error_code == code
    assert "2026-11-24" in up(*words, "--start", "soon", code=USAGE).stderr
