"""The local door: the example's client in Python, its answers against the raw runtime, and clients that lie about their memory or vanish."""
import array
import concurrent.futures
import fcntl
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import numpy
import onnxruntime
import pytest
from serve_support import BIN, Serve, deep_model, digits_model, scale_model, text_model

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples/local"))
from holdfast_local import F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE, LocalClient, LocalError, placed  # noqa: E402


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    serve = Serve(folder, {"listen": {"local": str(folder / "local.sock")}})
    with serve.running() as running:
        running.local = str(folder / "local.sock")
        running.model, running.digits = digits_model(folder)
        for name, model in (("digits", running.model), ("texts", text_model()), ("slow", deep_model(600)), ("scale", scale_model(3))):
            assert running.put(name, 1, model)[0] in (200, 201)
        yield running


@pytest.fixture
def client(serve):
    with LocalClient(serve.local) as made:
        yield made


def pixels(rows: numpy.ndarray, region: str, offset: int = 0) -> dict:
    return {"name": "pixels", "datatype": "FP32", "shape": list(rows.shape), "parameters": placed(region, rows.nbytes, offset)}


def raw(serve, rows: numpy.ndarray) -> list[numpy.ndarray]:
    return onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label", "probabilities"], {"pixels": rows})


def test_the_answers_are_the_raw_runtimes_from_either_kind_of_memory(serve, client):
    rows = serve.digits[:20]
    client.share_constant("digits", rows.tobytes())
    memory, out = client.share("in", 64 + rows.nbytes), client.share("out", 4096)
    memory[64:] = rows.tobytes()
    wanted = raw(serve, rows)
    for tensor in (pixels(rows, "digits"), pixels(rows, "in", 64)):
        answer = client.infer("digits", [tensor], [{"name": "label"}, {"name": "probabilities", "parameters": placed("out", 2048, 1024)}], id="r-7")
        assert (answer["model_name"], answer["model_version"], answer["id"]) == ("digits", "1", "r-7") and answer["parameters"]["model_digest"].startswith("sha256:")
        label, probabilities = answer["outputs"]
        assert label["data"] == wanted[0].tolist() and probabilities["shape"] == [20, 10] and "data" not in probabilities
        assert probabilities["parameters"] == placed("out", 800, 1024)
        numpy.testing.assert_allclose(numpy.frombuffer(out[1024:1824], numpy.float32).reshape(20, 10), wanted[1], rtol=0, atol=1e-6)
        out[:] = bytes(len(out))
    memory[64:] = serve.digits[20:40].tobytes()
    assert client.infer("digits", [pixels(rows, "in", 64)])["outputs"][0]["data"] == raw(serve, serve.digits[20:40])[0].tolist()


def test_tensors_in_the_message_and_texts_in_memory(serve, client):
    answer = client.infer("scale", [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, -2]}], model_version="1")
    assert answer["outputs"][0]["data"] == [3, -6]
    texts = [b"a\0b", b"", "日本".encode()]
    client.share_constant("texts", b"".join(len(t).to_bytes(4, "little") + t for t in texts))
    size = sum(4 + len(t) for t in texts)
    out = client.share("out", 64)
    answer = client.infer("texts", [{"name": "x", "datatype": "BYTES", "shape": [3], "parameters": placed("texts", size)}], [{"name": "y", "parameters": placed("out", 64)}])
    assert answer["outputs"][0]["parameters"]["shared_memory_byte_size"] == size and out[:size] == b"".join(len(t).to_bytes(4, "little") + t for t in texts)


def refuses(code: str, call, *arguments) -> str:
    with pytest.raises(LocalError) as error:
        call(*arguments)
    assert error.value.code == code, error.value
    return str(error.value)


def test_a_region_must_be_what_it_says(client, tmp_path):
    def register(size: int, seals: int, said: int, name: str = "r", flags: int = os.MFD_ALLOW_SEALING):
        descriptor = os.memfd_create("r", flags)
        try:
            os.ftruncate(descriptor, size)
            if seals:
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
            client.ask({"register": name, "byte_size": said}, descriptor)
        finally:
            os.close(descriptor)

    whole = F_SEAL_SHRINK | F_SEAL_GROW
    for seals in (0, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE):
        assert "not sealed" in refuses("invalid_argument", register, 4096, seals, 4096)
    for said in (0, 1, 4095, 4097, 1 << 29):
        assert "has 4096 bytes" in refuses("invalid_argument", register, 4096, whole, said)
    refuses("too_large", register, 4096, whole, 1 << 40)
    refuses("invalid_argument", register, 4096, whole, 4096, "n" * 200)
    for path in ("/dev/zero", "/dev/shm", tmp_path / "file"):
        if path == tmp_path / "file":
            path.write_bytes(bytes(4096))
        descriptor = os.open(path, os.O_RDONLY)
        refuses("invalid_argument", client.ask, {"register": "r", "byte_size": 4096}, descriptor)
        os.close(descriptor)
    register(4096, whole, 4096)
    refuses("conflict", register, 4096, whole, 4096)
    refuses("invalid_argument", client.ask, {"register": "s", "byte_size": 4096})
    descriptor = os.memfd_create("r", os.MFD_ALLOW_SEALING)
    refuses("invalid_argument", client.ask, {"register": "s", "byte_size": 4096}, descriptor, descriptor)
    refuses("invalid_argument", client.ask, {"unregister": "r"}, descriptor)
    os.close(descriptor)
    for number in range(63):
        register(4096, whole, 4096, f"many-{number}")
    refuses("too_large", register, 4096, whole, 4096, "one-more")


def test_nothing_is_read_or_written_beyond_a_region(serve, client):
    rows = serve.digits[:1]
    client.share_constant("digits", rows.tobytes())
    client.share("out", 64)
    tensor = pixels(rows, "digits")
    for size, offset in ((256, 1), (256, 4096), (256, 2**63), (2**63, 0), (2**64 - 1, 2), (257, 0)):
        text = refuses("invalid_argument", client.infer, "digits", [tensor | {"parameters": placed("digits", size, offset)}])
        assert "region 'digits'" in text
    assert "has 128 bytes of data" in refuses("invalid_argument", client.infer, "digits", [tensor | {"parameters": placed("digits", 128)}])
    for parameters in (placed("out", 64, 1), placed("out", 65), placed("out", 2**63, 2**63)):
        refuses("invalid_argument", client.infer, "digits", [tensor], [{"name": "probabilities", "parameters": parameters}])
    assert "needs 40 bytes" in refuses("too_large", client.infer, "digits", [tensor], [{"name": "probabilities", "parameters": placed("out", 39)}])
    refuses("denied", client.infer, "digits", [tensor], [{"name": "probabilities", "parameters": placed("digits", 256)}])
    refuses("not_found", client.infer, "digits", [pixels(rows, "nowhere")])
    refuses("not_found", client.infer, "nobody", [tensor])
    assert client.infer("digits", [tensor])["outputs"][0]["shape"] == [1]


def test_each_client_has_its_own_names(serve, client):
    client.share_constant("mine", serve.digits[:1].tobytes())
    with LocalClient(serve.local) as other:
        refuses("not_found", other.infer, "digits", [pixels(serve.digits[:1], "mine")])
        other.share_constant("mine", serve.digits[1:2].tobytes())
        assert other.infer("digits", [pixels(serve.digits[:1], "mine")])["outputs"][0]["data"] == raw(serve, serve.digits[1:2])[0].tolist()
    assert client.infer("digits", [pixels(serve.digits[:1], "mine")])["outputs"][0]["data"] == raw(serve, serve.digits[:1])[0].tolist()
    client.forget("mine")
    refuses("not_found", client.infer, "digits", [pixels(serve.digits[:1], "mine")])


def test_messages_that_are_none(client):
    for message in ({}, {"register": "a"}, {"register": "a", "byte_size": -1}, {"register": "a", "unregister": "a", "byte_size": 1}, {"model_name": "digits"},
                    {"model_name": "digits", "inputs": 7}, {"model_name": "digits", "model_version": "x", "inputs": []}):
        refuses("invalid_argument", client.ask, message)
    for body in (b"not json", b"[]", b"7", b"{" * 2000, b"\0" * 100):
        client.socket.send(body)
        assert json.loads(client.socket.recv(65536))["code"] == "invalid_argument"
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    client.socket.send(b"x" * 70_000)
    assert json.loads(client.socket.recv(65536))["code"] == "too_large"
    descriptors = array.array("i", [0] * 9)
    client.socket.sendmsg([b"{}"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    assert json.loads(client.socket.recv(65536))["code"] == "too_large"


def test_memory_that_changes_while_it_is_used_harms_nobody_else(serve):
    stop = threading.Event()

    def change(memory):
        while not stop.is_set():
            memory[:] = os.urandom(len(memory))

    raw_one = raw(serve, serve.digits[:1])[0].tolist()
    with LocalClient(serve.local) as hostile, LocalClient(serve.local) as other:
        memory = hostile.share("m", 4096)
        other.share_constant("d", serve.digits[:1].tobytes())
        thread = threading.Thread(target=change, args=(memory,))
        thread.start()
        for _ in range(500):
            hostile.infer("digits", [pixels(serve.digits[:16], "m")], [{"name": "label", "parameters": placed("m", 128)}])
            assert other.infer("digits", [pixels(serve.digits[:1], "d")])["outputs"][0]["data"] == raw_one
        stop.set()
        thread.join()


def descriptors_of(serve) -> int:
    return len(os.listdir(f"/proc/{serve.pid}/fd"))


def mapped(serve) -> int:
    return pathlib.Path(f"/proc/{serve.pid}/maps").read_text().count("memfd:vanish")


def test_clients_that_vanish_leave_nothing_behind(serve):
    before = descriptors_of(serve)
    rows = numpy.zeros((64, 256), numpy.float32)
    for _ in range(30):
        client = LocalClient(serve.local)
        memory = client.share("vanish", rows.nbytes)
        client.socket.send(json.dumps({"model_name": "slow", "inputs": [
            {"name": "x", "datatype": "FP32", "shape": list(rows.shape), "parameters": placed("vanish", rows.nbytes)}]}).encode())
        memory.close()
        client.close()
    deadline = time.monotonic() + 60
    while (descriptors_of(serve) > before or mapped(serve)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert descriptors_of(serve) <= before and mapped(serve) == 0
    with LocalClient(serve.local) as client:
        assert client.infer("scale", [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 1]}])["outputs"][0]["data"] == [3, 3]


def test_many_at_once_get_their_own_answers(serve):
    def ask(number: int) -> None:
        with LocalClient(serve.local) as client:
            memory, out = client.share("in", 8), client.share("out", 8)
            for step in range(200):
                memory[:] = numpy.array([number, step], numpy.float32).tobytes()
                client.infer("scale", [{"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": placed("in", 8)}], [{"name": "y", "parameters": placed("out", 8)}])
                assert numpy.frombuffer(out[:], numpy.float32).tolist() == [3 * number, 3 * step]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))


def test_only_the_servers_user_comes_in(serve):
    assert os.stat(serve.local).st_mode & 0o777 == 0o600
    if os.geteuid() != 0:
        pytest.skip("another user can be tried by root alone")
    os.chmod(serve.local, 0o666)
    for folder in pathlib.Path(serve.local).parents:
        if str(folder) not in ("/", "/tmp"):
            os.chmod(folder, 0o755)
    script = f"import os, socket\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ns.connect({serve.local!r})\nprint(s.recv(10))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() == "b''" or "ConnectionReset" in done.stderr, done.stderr
    os.chmod(serve.local, 0o600)


def test_a_second_server_does_not_take_the_place_and_a_killed_ones_is_free(serve, tmp_path):
    second = subprocess.run([BIN / "holdfast-serve", "--data", tmp_path / "a", "--listen", "127.0.0.1:0", "--grpc", "", "--local", serve.local], capture_output=True, text=True, timeout=20)
    assert second.returncode == 1 and "another server listens" in second.stderr
    path = str(tmp_path / "left.sock")
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(path)
    left.close()
    with Serve(tmp_path, {"listen": {"local": path}}).running():
        refuses("not_found", LocalClient(path).infer, "nobody", [])
    assert not os.path.exists(path)
