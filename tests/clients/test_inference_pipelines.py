"""tritonclient, HTTP and gRPC, unmodified, on models that run one after the other as if they were one: a model whose file is YAML."""
import io
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request

import numpy
import onnxruntime
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from PIL import Image
from serve_support import BIN, Serve, conv_model, one_node_model, scale_model
from tritonclient.utils import InferenceServerException

DOORS = (triton, triton_grpc)
PICTURES = b"""# from a picture to a class, and what is likely about it
pipeline:
  inputs: [image]
  steps:
    - {model: brighten, inputs: {p: image}, outputs: {q: bright}}
    - {model: features, inputs: {x: bright}, outputs: {features: numbers, label: class}}
    - {model: soften, inputs: {x: numbers}, outputs: {y: likely}}
  outputs: [class, likely, bright]
"""
NUMBERS = b"""pipeline:
  inputs: [given]
  steps:
    - {model: first, inputs: {x: given}, outputs: {y: middle}}
    - {model: second, inputs: {x: middle}, outputs: {y: result}}
  outputs: [result]
"""
MODELS = {"brighten": one_node_model("Sqrt", ("p", "q"), ["n", 3, 16, 16]), "features": conv_model(), "soften": one_node_model("Softmax", ("x", "y"), ["n", 8], axis=1)}


def client_of(serve: Serve, door):
    return door.InferenceServerClient(serve.address if door is triton else serve.grpc)


def ask(serve: Serve, door, model: str, name: str, values: numpy.ndarray, outputs: list[str] | None = None, **options):
    with client_of(serve, door) as client:
        given = door.InferInput(name, list(values.shape), "FP32")
        given.set_data_from_numpy(values)
        return client.infer(model, [given], outputs=[door.InferRequestedOutput(o) for o in outputs] if outputs else None, **options)


def numbers(serve: Serve, door=triton, rows: int = 1) -> float:
    answer = ask(serve, door, "numbers", "given", numpy.ones((rows, 2), numpy.float32)).as_numpy("result")
    assert answer.shape == (rows, 2) and (answer == answer[0, 0]).all()
    return float(answer[0, 0])


def by_hand(image: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """The members, one after the other, by the runtime itself."""
    bright = onnxruntime.InferenceSession(MODELS["brighten"]).run(None, {"p": image})[0]
    features, label = onnxruntime.InferenceSession(MODELS["features"]).run(["features", "label"], {"x": bright})
    return {"class": label, "likely": onnxruntime.InferenceSession(MODELS["soften"]).run(None, {"x": features})[0], "bright": bright}


def call(serve: Serve, method: str, path: str, body: bytes | None = None) -> None:
    with urllib.request.urlopen(urllib.request.Request(f"http://{serve.address}{path}", body, method=method), timeout=60):
        pass


def put_numbers(serve: Serve) -> None:
    for name, factor in (("first", 2), ("second", 3)):
        assert serve.put(name, 1, scale_model(factor))[0] == 201
    assert serve.put("numbers", 1, NUMBERS)[0] == 201


def counts(serve: Serve) -> dict[str, int]:
    with client_of(serve, triton_grpc) as client:
        return {row.name: row.inference_count for row in client.get_inference_statistics().model_stats}


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve")).running() as running:
        for name, model in MODELS.items():
            assert running.put(name, 1, model)[0] == 201
        status, answer = running.put("pictures", 1, PICTURES)
        assert status == 201, answer
        yield running


@pytest.mark.parametrize("door", DOORS, ids=["http", "grpc"])
@pytest.mark.parametrize("rows", [1, 5, 64])
def test_answers_are_those_of_the_models_by_hand(serve, door, rows):
    image = numpy.random.default_rng(rows).random((rows, 3, 16, 16), numpy.float32)
    wanted, before = by_hand(image), counts(serve)
    answer = ask(serve, door, "pictures", "image", image, ["likely", "class", "bright"])
    for name, values in wanted.items():
        assert numpy.array_equal(answer.as_numpy(name), values), name
    after = counts(serve)
    assert {name: after[name] - before[name] for name in after} == {"pictures": 1, "brighten": 1, "features": 1, "soften": 1}
    # Who asks for one output pays for no step that it does not need.
    assert numpy.array_equal(ask(serve, door, "pictures", "image", image, ["bright"]).as_numpy("bright"), wanted["bright"])
    last = counts(serve)
    assert {name: last[name] - after[name] for name in after} == {"pictures": 1, "brighten": 1, "features": 0, "soften": 0}


def test_it_is_told_as_triton_tells_an_ensemble(serve):
    steps = [("brighten", {"p": "image"}, {"q": "bright"}), ("features", {"x": "bright"}, {"features": "numbers", "label": "class"}), ("soften", {"x": "numbers"}, {"y": "likely"})]
    with client_of(serve, triton) as client:
        told = client.get_model_metadata("pictures")
        assert told["platform"] == "ensemble" and told["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 16, 16]}]
        assert [(t["name"], t["datatype"], t["shape"]) for t in told["outputs"]] == [("class", "INT64", [-1]), ("likely", "FP32", [-1, 8]), ("bright", "FP32", [-1, 3, 16, 16])]
        config = client.get_model_config("pictures")
        assert (config["platform"], config["backend"]) == ("ensemble", "") and "ensemble_scheduling" not in client.get_model_config("soften")
        assert [(s["model_name"], s["input_map"], s["output_map"]) for s in config["ensemble_scheduling"]["step"]] == steps
    with client_of(serve, triton_grpc) as client:
        assert client.get_model_metadata("pictures").platform == "ensemble" and client.is_model_ready("pictures")
        config = client.get_model_config("pictures").config
        assert [(s.model_name, dict(s.input_map), dict(s.output_map)) for s in config.ensemble_scheduling.step] == steps and config.ensemble_scheduling.step[0].model_version == -1


def test_many_callers_at_once_each_get_their_rows(serve):
    wrong = []

    def work(seed: int) -> None:
        draw = numpy.random.default_rng(seed)
        for _ in range(15):
            image = draw.random((int(draw.integers(1, 9)), 3, 16, 16), numpy.float32)
            answer, wanted = ask(serve, DOORS[seed % 2], "pictures", "image", image), by_hand(image)
            if not (numpy.array_equal(answer.as_numpy("class"), wanted["class"]) and numpy.allclose(answer.as_numpy("likely"), wanted["likely"], rtol=1e-4, atol=1e-6)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_wrong_is_named_and_changes_nothing(serve):
    cases = {
        "pipeline: {inputs: [a], steps: [": ("pipeline:1:",),
        "pipeline: {inputs: [a], outputs: [b], steps: []}": ("steps",),
        "pipeline: {inputs: [a], outputs: [b], steps: [{model: gone, inputs: {x: a}, outputs: {y: b}}]}": ("step 1 ('gone')", "there is no model"),
        "pipeline: {inputs: [a], outputs: [b], steps: [{model: soften, inputs: {z: a}, outputs: {y: b}}]}": ("step 1 ('soften')", "no input 'z'"),
        "pipeline: {inputs: [a], outputs: [b], steps: [{model: bad, inputs: {x: a}, outputs: {y: b}}]}": ("step 1 ('bad')", "itself"),
        "pipeline: {inputs: [a], outputs: [b], steps: [{model: pictures, inputs: {image: a}, outputs: {class: b}}]}": ("step 1 ('pictures')", "pipeline itself"),
        PICTURES.decode().replace("{x: numbers}", "{x: class}"): ("step 3 ('soften')", "INT64 [-1]", "FP32 [-1,8]"),
        PICTURES.decode().replace("{x: numbers}", "{x: bright}"): ("step 3 ('soften')", "[-1,3,16,16]"),
        PICTURES.decode().replace("outputs: [class", "extra: 1\n  outputs: [class"): ("extra",),
        "pipeline: " + "[" * 10000: ("pipeline:1:",),
    }
    for text, words in cases.items():
        status, answer = serve.put("bad", 1, text.encode())
        assert status == 400 and all(word in json.dumps(answer) for word in words), (text[:80], status, answer)
    assert serve.put("bad", 1, PICTURES + b"\n" * (64 << 10))[0] == 413
    for door in DOORS:
        with pytest.raises(InferenceServerException, match="image"):
            ask(serve, door, "pictures", "image", numpy.ones((1, 3, 16, 15), numpy.float32))
        with pytest.raises(InferenceServerException, match="numbers"):
            ask(serve, door, "pictures", "image", numpy.ones((1, 3, 16, 16), numpy.float32), ["numbers"])
    with client_of(serve, triton) as client:
        assert "bad" not in {row["name"] for row in client.get_model_repository_index()}


def test_models_are_swapped_under_it_and_nobody_sees_an_error(tmp_path):
    with Serve(tmp_path).running() as serve:
        put_numbers(serve)
        stop, failures, answered = threading.Event(), [], []

        def work(door) -> None:
            while not stop.is_set():
                try:
                    # Versions 2 to 21 of `first` have these factors; `second` is thrice or five times.
                    if (value := numbers(serve, door)) not in {factor * by for factor in range(2, 23) for by in (3, 5)}:
                        failures.append(value)
                    answered.append(value)
                except Exception as error:  # noqa: BLE001: each is a failed request, whatever it is
                    failures.append(str(error))

        threads = [threading.Thread(target=work, args=(door,)) for door in (triton, triton_grpc, triton)]
        for thread in threads:
            thread.start()
        try:
            for version in range(2, 22):
                seen = len(answered)
                assert serve.put("first", version, scale_model(version + 1))[0] == 201
                assert serve.put("second", version, scale_model(5 if version % 2 else 3))[0] == 201
                if version % 5 == 0:
                    assert serve.put("numbers", version, NUMBERS + b"# %d\n" % version)[0] == 201
                while len(answered) < seen + 10 and not failures:
                    stop.wait(0.001)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not failures and len(set(answered)) >= 20, failures[:5]
        assert numbers(serve) == 22 * 5


def test_it_comes_back_after_kill_9_and_says_which_model_is_missing(tmp_path):
    server = Serve(tmp_path)
    with server.running(ends=-9) as serve:
        put_numbers(serve)
        assert numbers(serve) == 6
        serve.process.kill()
    with server.running() as serve:
        with client_of(serve, triton) as http, client_of(serve, triton_grpc) as grpc:
            assert http.is_server_ready() and numbers(serve, triton_grpc) == 6
            http.unload_model("second")
            assert not http.is_model_ready("numbers") and not grpc.is_model_ready("numbers") and http.is_model_ready("first")
            for door in DOORS:
                with pytest.raises(InferenceServerException, match=r"step 2 \('second'\): the model 'second' is not loaded") as error:
                    numbers(serve, door)
                assert error.value.status() in ("503", "StatusCode.UNAVAILABLE")
            http.load_model("second")
            assert http.is_model_ready("numbers") and numbers(serve) == 6
            call(serve, "DELETE", "/api/v1/models/first/versions/1")
            with pytest.raises(InferenceServerException, match=r"step 1 \('first'\): there is no model 'first'"):
                numbers(serve)
            # Another signature is another model.
            assert serve.put("first", 1, MODELS["soften"])[0] == 201
            with pytest.raises(InferenceServerException, match=r"step 1 \('first'\): version 1 has other inputs or outputs"):
                numbers(serve)
            assert serve.put("first", 2, scale_model(7))[0] == 201 and numbers(serve) == 21
            http.unload_model("numbers")
            assert not http.is_model_ready("numbers")
            http.load_model("numbers")
            assert numbers(serve) == 21
            call(serve, "DELETE", "/api/v1/models/numbers/versions/1")
            assert not http.is_model_ready("numbers") and http.is_model_ready("first")


def test_a_canary_of_a_pipeline_and_what_a_request_spent(tmp_path):
    with Serve(tmp_path).running() as serve:
        put_numbers(serve)
        call(serve, "PUT", "/api/v1/models/numbers/versions/2?stage=true", NUMBERS.replace(b"model: second", b"model: first"))
        assert numbers(serve) == 6
        call(serve, "POST", "/api/v1/models/numbers/canary", b'{"version": 2, "share": 50, "shadow": 50, "max_latency_ratio": 0, "max_disagreement": 1}')
        assert {numbers(serve, DOORS[i % 2]) for i in range(60)} == {6, 4}
        call(serve, "POST", "/api/v1/models/numbers/canary/promote", b"")
        assert numbers(serve) == 4
        answer = ask(serve, triton, "numbers", "given", numpy.ones((1, 2), numpy.float32), parameters={"timing": True}).get_response()
        assert answer["model_version"] == "2" and 0 <= answer["parameters"]["infer_us"] <= answer["parameters"]["total_us"]


def test_its_models_are_tuned_and_it_is_not(tmp_path):
    with Serve(tmp_path, {"tuning": {"automatic": True, "budget": "300ms"}}).running() as serve:
        put_numbers(serve)
        deadline = time.monotonic() + 60
        while (log := (tmp_path / "serve.log").read_text()).count('"tuning has ended"') < 2:
            assert time.monotonic() < deadline and numbers(serve) == 6, log
        # Models are looked at in the order of their names: it had its turn before `second`.
        assert [json.loads(line)["model"] for line in log.splitlines() if '"tuning begins"' in line] == ["first", "second"]
        assert numbers(serve) == 6
    made = subprocess.run([BIN / "holdfast-serve", "measure", "tune", "--model", serve.data / "models/numbers/1/model.onnx"], capture_output=True, text=True, timeout=60)
    assert made.returncode == 1 and "measure its models" in made.stderr


def test_pictures_are_decoded_for_the_pipeline(tmp_path):
    serve = Serve(tmp_path)
    (serve.data / "models/pictures").mkdir(parents=True)
    (serve.data / "models/pictures/picture.yaml").write_text("steps: [{decode: {color: rgb}}, {resize: {width: 16, height: 16}}, {scale: {from: [0, 255], to: [0, 1]}}, {layout: chw}, {type: float32}]")
    pixels = numpy.random.default_rng(3).integers(0, 256, (16, 16, 3), numpy.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    with serve.running():
        for name, model in {**MODELS, "pictures": PICTURES}.items():
            assert serve.put(name, 1, model)[0] == 201
        wanted = by_hand((pixels.transpose(2, 0, 1)[None] / numpy.float32(255)).astype(numpy.float32))
        for door in DOORS:
            with client_of(serve, door) as client:
                given = door.InferInput("image", [1], "BYTES")
                given.set_data_from_numpy(numpy.array([file.getvalue()], object))
                answer = client.infer("pictures", [given])
            assert numpy.allclose(answer.as_numpy("bright"), wanted["bright"], atol=1e-5) and numpy.array_equal(answer.as_numpy("class"), wanted["class"])
