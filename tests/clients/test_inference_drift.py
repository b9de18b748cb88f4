"""Live requests beside the training data's profile: the figures are scipy's and numpy's, and a shift raises one event, also over kill -9."""
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request

import numpy
import pytest
import scipy.spatial.distance
import scipy.stats
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from serve_support import BIN, Serve, conv_model, digits_model, scale_model, text_model, two_by_two_model
from sklearn.datasets import load_digits

PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}
DIGITS = (numpy.random.default_rng(5).permutation(load_digits().data) / 16).astype(numpy.float32)  # no neighbours of one writer
TRAIN, LIVE = DIGITS[:1200], DIGITS[1200:]


def holdfast(*words, code: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([BIN / "holdfast", *map(str, words)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, env=PLAIN)
    assert done.returncode == code, f"{words}: exit {done.returncode}, {done.stdout}{done.stderr}"
    return done


def profile(serve: Serve, model: str, samples: pathlib.Path, code: int = 0) -> subprocess.CompletedProcess:
    return holdfast("model", "profile", model, "--samples", samples, "--serve-data", serve.data, "-o", "json", code=code)


def call(serve: Serve, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, dict]:
    request = urllib.request.Request(f"http://{serve.address}{path}", body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def drift(serve: Serve, model: str = "digits") -> dict:
    status, answer = call(serve, f"/api/v1/models/{model}/drift")
    assert status == 200, answer
    return answer


def ask(serve: Serve, rows: numpy.ndarray, model: str = "digits", name: str = "pixels"):
    with triton.InferenceServerClient(serve.address, network_timeout=120) as client:
        given = triton.InferInput(name, rows.shape, "FP32")
        given.set_data_from_numpy(rows.astype(numpy.float32))
        return client.infer(model, [given])


def ask_grpc(serve: Serve, rows: numpy.ndarray):
    with triton_grpc.InferenceServerClient(serve.grpc) as client:
        given = triton_grpc.InferInput("pixels", rows.shape, "FP32")
        given.set_data_from_numpy(rows.astype(numpy.float32))
        return client.infer("digits", [given])


def window(serve: Serve, rows: numpy.ndarray, asking=ask) -> list:
    """Sends exactly one window and waits until it was looked at."""
    before = drift(serve)["windows"]
    answers = [asking(serve, rows[i:i + 100]) for i in range(0, len(rows), 100)]
    deadline = time.monotonic() + 30
    while drift(serve)["windows"] == before:
        assert time.monotonic() < deadline, drift(serve)
        time.sleep(0.02)
    assert drift(serve)["windows"] == before + 1 and drift(serve)["rows"] == 0
    return answers


def events(folder: pathlib.Path) -> list[dict]:
    return [json.loads(line) for file in sorted(folder.glob("*")) for line in file.read_text().splitlines()]


def metrics(serve: Serve) -> str:
    with urllib.request.urlopen(f"http://{serve.address}/metrics", timeout=10) as answer:
        return answer.read().decode()


def metric(serve: Serve, name: str) -> float:
    return float(re.search(rf"^{re.escape(name)} (.+)$", metrics(serve), re.MULTILINE).group(1))


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> bytes:
    return digits_model(tmp_path_factory.mktemp("digits"))[0]


@pytest.fixture
def samples(tmp_path) -> pathlib.Path:
    numpy.savez(tmp_path / "train.npz", pixels=TRAIN)
    return tmp_path / "train.npz"


def numpy_psi(train: numpy.ndarray, live: numpy.ndarray) -> float:
    edges = numpy.unique(numpy.quantile(train, numpy.arange(1, 10) / 10).astype(numpy.float32))
    bins = len(edges) + 2  # the last is of what is missing: of nothing here
    count = [numpy.bincount(numpy.searchsorted(edges, values, side="left"), minlength=bins) for values in (train, live)]
    p, q = [(one + 0.5) / (one.sum() + 0.5 * bins) for one in count]
    return float(((q - p) * numpy.log(q / p)).sum())


@pytest.mark.parametrize("asking", [ask, ask_grpc])
def test_the_figures_are_scipys(tmp_path, digits, samples, asking):
    with Serve(tmp_path, {"drift": {"window": 500}}).running() as serve:
        assert serve.put("digits", 1, digits)[0] == 201
        made = json.loads(profile(serve, "digits", samples).stdout)
        assert made["rows"] == made["sample_rows"] == 1200 and made["applied"] and made["features"] == 65
        live = numpy.clip(LIVE[:500] * 0.9 + 0.02, 0, 1).astype(numpy.float32)
        answers = window(serve, live, asking)
        last = drift(serve)["last"]
        before = [ask(serve, TRAIN[i:i + 100]) for i in range(0, 1200, 100)]  # what the model says of its training data
    assert last["rows"] == 500
    tensor = {name: (numpy.concatenate([one.as_numpy(name) for one in before]), numpy.concatenate([one.as_numpy(name) for one in answers]))
              for name in ("label", "probabilities")}
    pairs = [(TRAIN[:, i], live[:, i]) for i in range(64)] + [tuple(one.max(axis=1) for one in tensor["probabilities"])]
    assert [one["name"] for one in last["features"]] == [f"pixels[{i}]" for i in range(64)] + ["probabilities.confidence"]
    for one, (train, now) in zip(last["features"], pairs):
        assert one["ks"] == pytest.approx(scipy.stats.ks_2samp(train, now).statistic, abs=1e-9), one
        assert one["psi"] == pytest.approx(numpy_psi(train, now), abs=1e-9), one
    mixes = {"label": tensor["label"], "probabilities": [one.argmax(axis=1) for one in tensor["probabilities"]]}
    assert {one["name"] for one in last["classes"]} == set(mixes)
    for one in last["classes"]:
        p, q = (numpy.bincount(labels, minlength=10) for labels in mixes[one["name"]])
        assert one["distance"] == pytest.approx(scipy.spatial.distance.jensenshannon(p, q, base=2), abs=1e-9)
        assert {int(label): count for label, count in one["counts"].items()} == {i: n for i, n in enumerate(q) if n}


def test_a_shift_raises_one_event_also_over_a_kill(tmp_path, digits, samples):
    folder = tmp_path / "share"
    server = Serve(tmp_path, {"drift": {"window": 500, "directory": "share"}})
    shifted = 1 - LIVE[:500]  # a camera that inverts
    with server.running(ends=-9) as serve:
        assert serve.put("digits", 1, digits)[0] == 201
        profile(serve, "digits", samples)
        assert drift(serve)["state"] == "waiting"
        for _ in range(2):
            window(serve, LIVE[:500])
        assert drift(serve)["state"] == "calm" and not events(folder)
        assert metric(serve, 'holdfast_drift_drifting{model="digits",version="1"}') == 0
        for _ in range(2):
            window(serve, shifted)
        event, = events(folder)
        assert drift(serve)["state"] == "drifting" and drift(serve)["event"] == event["id"]
        assert event["type"] == "holdfast.inference.drift" and event["subject"] == "digits" and event["specversion"] == "1.0"
        assert event["data"]["version"] == "1" and event["data"]["rows"] == 500 and event["data"]["features_over"] > 32
        assert len(event["data"]["features"]) == 32 and all(one["over"] for one in event["data"]["features"])
        assert metric(serve, 'holdfast_drift_drifting{model="digits",version="1"}') == 1
        assert metric(serve, "holdfast_drift_events_total") == 1
        assert metric(serve, 'holdfast_drift_psi{model="digits",version="1",feature="pixels[0]"}') > 0.2
        serve.process.kill()
    with server.running() as serve:
        assert drift(serve)["state"] == "drifting" and drift(serve)["event"] == event["id"]
        window(serve, shifted)
        assert events(folder) == [event], "it is known, over the kill as well"
        window(serve, LIVE[:500])
        assert drift(serve)["state"] == "calm"
        window(serve, shifted)
        first, second = sorted(events(folder), key=lambda one: one["time"])
        assert first == event and second["id"] != event["id"]
        told = holdfast("model", "drift", "--serve-data", serve.data, "-o", "table").stdout
        assert "drifting" in told and "digits" in told
        told = holdfast("model", "drift", "digits", "--serve-data", serve.data, "-o", "table")
        assert "pixels[0]" in told.stdout and "drifting" in told.stderr
        assert json.loads(holdfast("model", "drift", "digits", "--serve-data", serve.data, "-o", "json").stdout)["event"] == second["id"]
    assert all(re.fullmatch(r"drift-digits-\d{8}T\d{6}-[0-9a-f]{8}\.jsonl", file.name) for file in folder.iterdir())


def test_a_profile_of_captured_requests(tmp_path, digits):
    """What capture has written of a good time is data to profile; JSON lines of requests are, too."""
    with Serve(tmp_path, {"capture": {"directory": "captured"}, "drift": {"window": 500}}).running() as serve:
        assert serve.put("digits", 1, digits)[0] == 201
        for i in range(0, 500, 100):
            ask(serve, TRAIN[i:i + 100])
    server = Serve(tmp_path, {"drift": {"window": 500}})
    with server.running() as serve:
        made = json.loads(profile(serve, "digits", tmp_path / "captured").stdout)
        assert made["rows"] == 500 and made["skipped"] == 0
        window(serve, TRAIN[:500])
        assert all(one["ks"] == 0 for one in drift(serve)["last"]["features"]), "the very same rows"


def test_large_tensors_are_summarised(tmp_path):
    pictures = numpy.random.default_rng(1).normal(size=(300, 3, 16, 16)).astype(numpy.float32)
    numpy.save(tmp_path / "pictures.npy", pictures)
    with Serve(tmp_path, {"drift": {"window": 300}}).running() as serve:
        assert serve.put("net", 1, conv_model())[0] == 201
        profile(serve, "net", tmp_path / "pictures.npy")
        kept = json.loads((serve.data / "models/net/1/profile.json").read_text())
    features = {one["name"]: one for one in kept["features"]}
    assert list(features)[:5] == ["x.mean", "x.std", "x.p10", "x.p50", "x.p90"]
    rows = pictures.reshape(300, -1)
    assert features["x.mean"]["sample"] == pytest.approx(sorted(rows.mean(axis=1)), abs=1e-6)
    assert features["x.std"]["sample"] == pytest.approx(sorted(rows.std(axis=1)), abs=1e-6)
    assert features["x.p50"]["sample"] == pytest.approx(sorted(numpy.quantile(rows, 0.5, axis=1, method="lower")), abs=1e-6)


def test_a_file_is_profiled_without_a_server(tmp_path, digits, samples):
    (tmp_path / "digits.onnx").write_bytes(digits)
    done = holdfast("model", "profile", tmp_path / "digits.onnx", "--samples", samples, "--serve-data", tmp_path, "-o", "json")
    assert not json.loads(done.stdout)["applied"] and (tmp_path / "profile.json").exists()
    first = json.loads((tmp_path / "profile.json").read_text())
    holdfast("model", "profile", tmp_path / "digits.onnx", "--samples", samples, "--serve-data", tmp_path, "--file", tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text())
    assert first.pop("created") and again.pop("created") and first == again, "the same data make the same profile"


def test_what_is_no_profile_of_the_model_is_refused(tmp_path, digits, samples):
    server = Serve(tmp_path, {"drift": {"window": 100}})
    with server.running() as serve:
        for name, model in (("digits", digits), ("scale", scale_model(2)), ("other", scale_model(3))):
            assert serve.put(name, 1, model)[0] == 201
        assert drift(serve, "scale")["state"] == "none"
        numpy.savez(tmp_path / "x.npz", x=numpy.random.default_rng(1).normal(size=(200, 2)).astype(numpy.float32))
        profile(serve, "scale", tmp_path / "x.npz")
        good = (serve.data / "models/scale/1/profile.json").read_bytes()
        for body, text in ((b"", "not JSON"), (good[:500], "not JSON"), (b"{}", "format"), (b"[" * 100_000, "not JSON"),
                           (good.replace(b'"edges":[', b'"edges":[1e300,', 1), "edges"), (good.replace(b'"x[0]"', b'"y[0]"'), "another model")):
            status, answer = call(serve, "/api/v1/models/scale/versions/1/profile", "PUT", body)
            assert status == 400 and text in answer["error"], answer
        status, answer = call(serve, "/api/v1/models/other/versions/1/profile", "PUT", good)
        assert status == 400 and "made for the model sha256:" in answer["error"]
        assert call(serve, "/api/v1/models/digits/versions/1/profile", "PUT", good)[0] == 400
        assert call(serve, "/api/v1/models/scale/versions/1/profile", "PUT", b" " * (17 << 20))[0] == 413
        assert call(serve, "/api/v1/models/nothing/versions/1/profile", "PUT", good)[0] == 404
        assert call(serve, "/api/v1/models/nothing/drift")[0] == 404
        assert (serve.data / "models/scale/1/profile.json").read_bytes() == good, "what is refused changes nothing"
        assert drift(serve, "scale")["state"] == "waiting"
    (server.data / "models/scale/1/profile.json").write_bytes(good[:1000])
    with server.running() as serve:  # it still serves
        assert ask(serve, numpy.ones((1, 2)), "scale", "x").as_numpy("y").tolist() == [[2, 2]]
        found = drift(serve, "scale")
        assert found["state"] == "none" and "not JSON" in found["reason"]
        assert "not JSON" in holdfast("model", "drift", "--serve-data", serve.data, "-o", "table").stdout


def test_data_that_do_not_fit_are_named(tmp_path):
    with Serve(tmp_path).running() as serve:
        assert serve.put("scale", 1, scale_model(2))[0] == 201 and serve.put("two", 1, two_by_two_model())[0] == 201
        assert serve.put("text", 1, text_model())[0] == 201
        data = tmp_path / "data.npz"
        for arrays, text in (({"z": numpy.ones((200, 2), "f4")}, "'x' has no array"), ({"x": numpy.ones((200, 3), "f4")}, "another shape"),
                             ({"x": numpy.ones((200, 2), "f8")}, "FP32, the array FP64"), ({"x": numpy.ones((99, 2), "f4")}, "99 rows"),
                             ({"x": numpy.ones((0, 2), "f4")}, "no rows")):
            numpy.savez(data, **arrays)
            assert text in (said := profile(serve, "scale", data, code=1).stderr), said
        numpy.savez(data, a=numpy.ones(200, "f4"), b=numpy.ones(150, "i8"))
        assert "150 rows" in profile(serve, "two", data, code=1).stderr
        numpy.save(tmp_path / "one.npy", numpy.ones((200, 2), "f4"))
        assert "has 2 inputs" in profile(serve, "two", tmp_path / "one.npy", code=1).stderr
        (tmp_path / "lines.jsonl").write_text('{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["a"]}]}\n{"inputs":7}\n')
        assert "line 2" in profile(serve, "text", tmp_path / "lines.jsonl", code=1).stderr
        assert "there is no" in profile(serve, "scale", tmp_path / "gone", code=3).stderr
        assert "there is no model 'gone'" in profile(serve, "gone", data, code=3).stderr
        assert drift(serve, "scale")["state"] == "none"


def test_who_may_not_change_the_server_may_not_set_a_profile(tmp_path):
    (tmp_path / "keys").write_text("eye reader 0123456789abcdef-reader\n")
    with Serve(tmp_path, {"tokens": {"keys": "keys"}}).running() as serve:
        for headers, status in (({}, 401), ({"Authorization": "Bearer 0123456789abcdef-reader"}, 403)):
            request = urllib.request.Request(f"http://{serve.address}/api/v1/models/m/versions/1/profile", b"{}", headers, method="PUT")
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(request, timeout=30)
            assert error.value.code == status


def test_nothing_is_watched_where_it_is_switched_off(tmp_path, digits, samples):
    with Serve(tmp_path, {"drift": {"share": 0}}).running() as serve:
        assert serve.put("digits", 1, digits)[0] == 201
        profile(serve, "digits", samples)
        ask(serve, LIVE[:100])
        assert drift(serve)["state"] == "off" and "holdfast_drift" not in metrics(serve)


@pytest.mark.parametrize(("section", "text"), [
    ({"share": 101}, "percentage"), ({"window": 5}, "window"), ({"least": 2000}, "least"), ({"psi": 0}, "psi"), ({"alpha": 1}, "alpha"),
    ({"after": "1ms"}, "after"), ({"features": 0}, "features"), ({"treshold": 1}, "treshold")])
def test_a_wrong_section_is_named(tmp_path, section, text):
    (tmp_path / "serve.yaml").write_text(json.dumps({"drift": section}))
    told = subprocess.run([BIN / "holdfast-serve", "--check", "--config", tmp_path / "serve.yaml", "--data", tmp_path / "serve"], capture_output=True, text=True, timeout=30)
    assert told.returncode != 0 and text in told.stderr, told.stderr
