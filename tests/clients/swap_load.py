"""A model changes its version again and again while stock clients ask for it: who got no answer or a wrong one, and what the server's memory does."""
import random
import statistics
import threading
import urllib.error
import urllib.request

import numpy
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from process_support import anonymous
from serve_support import Serve, scale_model

MODEL = "swapped"


def _call(serve: Serve, method: str, path: str, body: bytes | None = None) -> None:
    request = urllib.request.Request(f"http://{serve.address}/api/v1/models/{MODEL}{path}", body, method=method)
    with urllib.request.urlopen(request, timeout=60):
        pass


def _ask(serve: Serve, door, stop: threading.Event, verdict: dict) -> None:
    """Asks until it is told to stop; the factor in the answer must be the version that the answer names."""
    values = numpy.ones((1, 2), numpy.float32)
    with door.InferenceServerClient(serve.address if door is triton else serve.grpc) as client:
        while not stop.is_set():
            try:
                given = door.InferInput("x", [1, 2], "FP32")
                given.set_data_from_numpy(values)
                answer = client.infer(MODEL, [given])
                named = answer.get_response()["model_version"] if door is triton else answer.get_response().model_version
                if answer.as_numpy("y")[0, 0] != float(named):
                    verdict["failures"].append(f"the answer of version {named} is another's")
                verdict["answered"] += 1  # one counter a thread would be exact; this one is a lower bound
            except Exception as error:  # noqa: BLE001: each is a failed request, whatever it is
                verdict["failures"].append(str(error))


def swap_run(serve: Serve, count: int, seed: int, told=lambda text: None) -> dict:
    """`count` swaps, each in one of three ways: sent in, activated, or promoted from a canary."""
    generator = random.Random(seed)
    verdict = {"swaps": 0, "answered": 0, "failures": [], "memory": []}
    serve.put(MODEL, 1, scale_model(1))
    newest = current = 1
    stop = threading.Event()
    askers = [threading.Thread(target=_ask, args=(serve, door, stop, verdict)) for door in (triton, triton, triton_grpc)]
    for asker in askers:
        asker.start()
    try:
        while verdict["swaps"] < count:
            before = verdict["answered"]
            way = generator.choice(["put", "activate", "canary"])
            if way == "activate" and newest > 1:
                current = newest - 1 if current == newest else newest
                _call(serve, "POST", f"/versions/{current}/activate", b"")
            elif way == "canary" and current == newest:
                newest += 1
                _call(serve, "PUT", f"/versions/{newest}?stage=true", scale_model(newest))
                _call(serve, "POST", "/canary", b'{"version": %d, "share": 50, "max_latency_ratio": 0}' % newest)
                while verdict["answered"] < before + 5 and not verdict["failures"]:
                    stop.wait(0.001)
                _call(serve, "POST", "/canary/promote", b"")
                current = newest
            else:
                newest += 1
                assert serve.put(MODEL, newest, scale_model(newest))[0] == 201
                current = newest
            verdict["swaps"] += 1
            while verdict["answered"] < before + 10 and not verdict["failures"]:  # a swap that nobody sees shows nothing
                stop.wait(0.001)
            if newest > 3 and current == newest:
                for old in range(max(1, newest - 6), newest - 2):
                    try:
                        _call(serve, "DELETE", f"/versions/{old}")
                    except urllib.error.HTTPError as error:
                        assert error.code == 404, f"version {old}: {error.code}"
            verdict["memory"].append(anonymous(serve.process.pid))
            if verdict["swaps"] % 50 == 0:
                told(f"{verdict['swaps']} of {count} swaps, {verdict['answered']} answers, {len(verdict['failures'])} failed, {verdict['memory'][-1] >> 20} MiB")
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    fifth = max(1, count // 5)
    verdict["early"] = int(statistics.median(verdict["memory"][fifth:2 * fifth]))
    verdict["late"] = int(statistics.median(verdict["memory"][-fifth:]))
    return verdict


def is_flat(verdict: dict) -> bool:
    return verdict["late"] <= verdict["early"] * 1.1 + (4 << 20)
