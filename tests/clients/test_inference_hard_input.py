"""What hostile and broken clients send to the inference server: lengths that lie, floods of chunks, bodies that never end, ten thousand idle connections. tritonclient goes on meanwhile."""
import contextlib
import http.client
import json
import socket
import struct
import time
import zlib

import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from process_support import anonymous, open_files
from serve_support import Serve, scale_model, text_model

HEAD = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\n"
RIGHT = {"name": "x", "datatype": "FP32", "shape": [1, 2]}


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with open_files(), Serve(tmp_path_factory.mktemp("serve")).running() as running:
        assert running.put("m", 1, scale_model(2))[0] == 201
        assert running.put("t", 1, text_model())[0] == 201
        yield running


def connect(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def answer_of(client: socket.socket) -> tuple[int, dict, dict]:
    """Status, headers, the JSON."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return answer.status, dict(answer.getheaders()), json.loads(answer.read())


def ask(serve: Serve, door=triton) -> None:
    """A stock client has its right answer."""
    with door.InferenceServerClient(serve.address if door is triton else serve.grpc) as client:
        given = door.InferInput("x", [1, 2], "FP32")
        given.set_data_from_numpy(numpy.array([[1, -2]], numpy.float32))
        assert client.infer("m", [given]).as_numpy("y").tolist() == [[2, -4]]


def post(serve: Serve, headers: bytes, body: bytes, model: bytes = b"m") -> tuple[int, str]:
    with connect(serve.address) as client:
        head = HEAD.replace(b"/m/", b"/" + model + b"/") + b"Content-Length: %d\r\n" % len(body) + headers + b"\r\n"
        client.sendall(head + body)
        status, _, answer = answer_of(client)
        return status, answer.get("error", "")


def binary(size: object, sent: bytes, shape: list | None = None) -> tuple[bytes, bytes]:
    head = json.dumps({"inputs": [RIGHT | {"shape": shape or [1, 2], "parameters": {"binary_data_size": size}}]}).encode()
    return b"Inference-Header-Content-Length: %d\r\n" % len(head), head + sent


def inputs(**changes) -> bytes:
    return json.dumps({"inputs": [RIGHT | {"data": [1, 2]} | changes]}).encode()


DEEP = b"[" * 10_000
WRONG = {
    "header of another size": (b"Inference-Header-Content-Length: 4000\r\n", inputs(), "Inference-Header-Content-Length"),
    "header below zero": (b"Inference-Header-Content-Length: -1\r\n", inputs(), "Inference-Header-Content-Length"),
    "header over 64 bits": (b"Inference-Header-Content-Length: 18446744073709551617\r\n", inputs(), "Inference-Header-Content-Length"),
    "tensor cut": (*binary(8, b"\0" * 7), "shorter"),
    "tensor larger than the body": (*binary(1 << 40, b"\0" * 8), "shorter"),
    "tensor size over 64 bits": (*binary(1 << 64, b"\0" * 8), ""),
    "tensor size below zero": (*binary(-8, b"\0" * 8), "binary_data_size"),
    "tensor size a text": (*binary("8", b"\0" * 8), "binary_data_size"),
    "bytes behind the tensors": (*binary(8, b"\0" * 9), "longer"),
    "another shape's bytes": (*binary(8, b"\0" * 8, [2, 2]), ""),
    "shape that overflows": (b"", inputs(shape=[1 << 62, 4]), ""),
    "shape of 2^39 rows": (b"", inputs(shape=[1 << 39, 2]), ""),
    "shape below zero": (b"", inputs(shape=[-1, -2]), ""),
    "shape of other rank": (b"", inputs(shape=[2]), ""),
    "shape of fractions": (b"", inputs(shape=[1.5, 2]), ""),
    "another datatype": (b"", inputs(datatype="INT64"), "INT64"),
    "no datatype": (b"", inputs(datatype="FP33"), "FP33"),
    "another name": (b"", inputs(name="z"), "z"),
    "the input twice": (b"", json.dumps({"inputs": [json.loads(inputs())["inputs"][0]] * 2}).encode(), "x"),
    "no inputs": (b"", b"{}", "inputs"),
    "too few numbers": (b"", inputs(data=[1]), ""),
    "too many numbers": (b"", inputs(data=[1] * 1000), ""),
    "texts for numbers": (b"", inputs(data=["1", "2"]), ""),
    "nested 10,000 deep": (b"", inputs().replace(b"[1, 2]}", DEEP + b"]" * 10_000 + b"}"), ""),
    "nested and never closed": (b"", b'{"inputs":' + DEEP, ""),
    "objects nested 10,000 deep": (b"", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, ""),
    "no UTF-8": (b"", b'{"inputs":[{"name":"\xff\xfe"}]}', ""),
    "nothing": (b"", b"", ""),
    "no JSON": (b"", b"\0" * 100, ""),
    "gzip that is none": (b"Content-Encoding: gzip\r\n", b"\x1f\x8bnothing", "gzip"),
    "gzip that is cut": (b"Content-Encoding: deflate\r\n", zlib.compress(inputs())[:-3], "deflate"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_a_400_that_names_it(serve, what):
    headers, body, word = WRONG[what]
    status, error = post(serve, headers, body)
    assert status == 400 and error and word in error, (status, error)
    ask(serve)


def test_texts_whose_lengths_lie(serve):
    for sent in (struct.pack("<I", 5) + b"abcd", struct.pack("<I", 0xFFFFFFFF) + b"a", b"\1\0", struct.pack("<I", 1) + b"ab"):
        head = json.dumps({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(sent)}}]}).encode()
        status, error = post(serve, b"Inference-Header-Content-Length: %d\r\n" % len(head), head + sent, b"t")
        assert status == 400 and "x" in error, (sent, status, error)


def test_too_much_is_413_also_where_it_was_packed(serve):
    assert post(serve, b"", inputs(shape=[1 << 40, 2]))[0] == 413
    packed = zlib.compress(b" " * (65 << 20))
    assert post(serve, b"Content-Encoding: deflate\r\n", packed) == (413, "the body is larger than 64.0 MiB when decompressed")
    with connect(serve.address) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        with contextlib.suppress(ConnectionError):  # it may have ended by then
            for _ in range(66):
                client.sendall(block)
        status, _, answer = answer_of(client)
        assert status == 413 and "64.0 MiB" in answer["error"]
    ask(serve)


@pytest.mark.parametrize("chunk", [b"1\r\n \r\n", b"1;" + b"x" * 200 + b"\r\n \r\n", b"00000001\r\n \r\n"], ids=["small", "extended", "padded"])
def test_a_flood_of_chunks_is_a_body_as_any_other(serve, chunk):
    before = anonymous(serve.process.pid)
    with connect(serve.address) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 200_000)
        body = inputs()
        client.sendall(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        status, _, answer = answer_of(client)
        assert status == 200 and answer["outputs"][0]["data"] == [2, 4]
    assert anonymous(serve.process.pid) < before + (32 << 20)


def test_clients_that_vanish_leave_nothing(serve):
    """In the head, in the body, before the answer: 3,000 of them, each kind in turn."""
    body = inputs()
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    large = HEAD + b"Content-Length: %d\r\n\r\n" % (60 << 20) + b" " * 100_000

    def crowd(count: int) -> None:
        for number in range(count):
            with connect(serve.address) as client:
                client.sendall([whole[:30], whole[:-5], whole, large][number % 4])
                if number % 3 == 0:  # a reset instead of an end
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    crowd(600)
    before = anonymous(serve.process.pid)
    crowd(3000)
    ask(serve)
    assert anonymous(serve.process.pid) < before + (16 << 20)


def test_bodies_that_never_end_do_not_take_all_memory(serve):
    """Large ones are refused where those that are on their way have 512 MiB; small ones are answered all the time."""
    size, sent = 64 << 20, 60 << 20
    before = anonymous(serve.process.pid)
    stuck, refused = [], None
    try:
        for _ in range(12):
            client = connect(serve.address)
            stuck.append(client)
            client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % size)
            with contextlib.suppress(ConnectionError):
                client.sendall(b" " * sent)
            client.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                refused = answer_of(client)
                break
        assert refused and refused[0] == 503 and refused[1]["Retry-After"] == "1" and "memory" in refused[2]["error"]
        assert 8 <= len(stuck) <= 10 and anonymous(serve.process.pid) < before + (640 << 20)
        ask(serve)
    finally:
        for client in stuck:
            client.close()
    deadline = time.monotonic() + 30
    while post(serve, b"", inputs() + b" " * (20 << 20))[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("door", [triton, triton_grpc], ids=["http", "grpc"])
def test_ten_thousand_idle_connections(tmp_path, door):
    """They stay, half of them in the middle of a request; who comes on top of them is answered."""
    crowd = []
    with open_files(), Serve(tmp_path).running() as serve:
        assert serve.put("m", 1, scale_model(2))[0] == 201
        ask(serve, door)
        try:
            for number in range(10_000):
                client = connect(serve.address if door is triton else serve.grpc)
                crowd.append(client)
                if door is triton:
                    client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                elif number % 2:
                    client.sendall(b"PRI * HTTP/2.0\r\n")
            for client in crowd if door is triton else []:
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            ask(serve, door)
            if door is triton:
                for client in crowd[::4]:
                    client.sendall(HEAD[:-2])
                for client in crowd[1::4]:
                    client.sendall(HEAD + b"Content-Length: 60000000\r\n\r\n{")
            ask(serve, door)
            assert anonymous(serve.process.pid) < 320 << 20
        finally:
            for client in crowd:
                client.close()
        ask(serve, door)
