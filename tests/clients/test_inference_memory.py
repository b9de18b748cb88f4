"""tritonclient[http], unmodified, on a server whose models do not all fit into memory."""
import concurrent.futures
import re
import urllib.request

import numpy
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from serve_support import Serve, deep_model

WIDTH, MODELS, BUDGET = 1024, 6, 20 << 20  # a model's weights alone are 4 MiB


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve"), {"memory": {"budget": "20MiB", "pinned": ["m0"]}}).running() as running:
        for i in range(MODELS):
            assert running.put(f"m{i}", 1, deep_model(i + 1, WIDTH))[0] == 201
        yield running


def charged(serve: Serve) -> dict[str, int]:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return {name: int(size) for name, size in re.findall(r'holdfast_model_memory_bytes{model="(\w+)",version="1"} (\d+)', answer.read().decode())}


def ask(serve: Serve, index: int) -> bool:
    values = numpy.random.default_rng(index).random((1, WIDTH), numpy.float32)
    with triton.InferenceServerClient(serve.address, network_timeout=120) as own:
        made = triton.InferInput("x", [1, WIDTH], "FP32")
        made.set_data_from_numpy(values)
        return numpy.array_equal(own.infer(f"m{index}", [made]).as_numpy("y"), numpy.roll(values, index + 1, axis=1))


def test_models_come_and_go_and_every_answer_is_right(serve):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda i: ask(serve, i % MODELS), range(48)))
    sizes = charged(serve)
    assert 4 << 20 <= sizes["m0"] and sum(sizes.values()) <= BUDGET and len(sizes) < MODELS
    with triton.InferenceServerClient(serve.address) as client:
        index = {row["name"]: (row["state"], row["reason"]) for row in client.get_model_repository_index()}
        assert {name for name, row in index.items() if row[0] == "READY"} == set(sizes)
        evicted = [name for name, row in index.items() if row == ("UNAVAILABLE", "evicted")]
        assert len(evicted) == MODELS - len(sizes)
        # It would answer: a probe says so, and does not load it.
        assert client.is_model_ready(evicted[0]) and client.is_server_ready() and evicted[0] not in charged(serve)
        assert client.get_inference_statistics("m0")["model_stats"][0]["memory_usage"][0]["byte_size"] == sizes["m0"]
        assert client.get_model_metadata(evicted[0])["inputs"][0]["shape"] == [-1, WIDTH]
        client.unload_model(evicted[0])
        assert not client.is_model_ready(evicted[0])
        client.load_model(evicted[0])


def test_over_grpc_what_made_room_comes_back(serve):
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        for index in range(2 * MODELS):  # more than fit: each call but a few finds its model evicted
            name = f"m{index % MODELS}"
            assert client.is_model_ready(name)
            values = numpy.random.default_rng(index).random((1, WIDTH), numpy.float32)
            given = triton_grpc.InferInput("x", [1, WIDTH], "FP32")
            given.set_data_from_numpy(values)
            answer = client.infer(name, [given]).as_numpy("y")
            assert numpy.array_equal(answer, numpy.roll(values, index % MODELS + 1, axis=1))
        gone = next(name for name in (f"m{i}" for i in range(MODELS)) if name not in charged(serve))
        assert client.get_model_config(gone).config.input[0].dims == [-1, WIDTH]
        assert gone in charged(serve)
        gone = next(name for name in (f"m{i}" for i in range(MODELS)) if name not in charged(serve))
        assert client.get_model_metadata(gone).platform == "onnxruntime_onnx"


def test_what_never_fits_is_refused_and_takes_nothing_away(serve):
    before = charged(serve)
    status, answer = serve.put("large", 1, deep_model(1, 2400))  # 22 MiB
    assert status == 503 and "MiB" in answer["error"], answer
    assert charged(serve) == before and all(ask(serve, i) for i in range(MODELS))


def test_after_a_restart_what_fits_is_loaded(serve, tmp_path):
    folder = tmp_path / "again"
    folder.mkdir()
    again = Serve(folder, {"memory": {"budget": "20MiB", "pinned": ["m5"]}, "models": str(serve.data / "models")})
    with again.running():
        assert "m5" in charged(again) and sum(charged(again).values()) <= BUDGET
        assert all(ask(again, i) for i in range(MODELS))
        assert "m5" in charged(again)
