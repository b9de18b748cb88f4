"""The tuned choice beside the untuned default, and the server at saturation beside the raw runtime's best, on three models. Sides take turns."""
import json
import pathlib
import statistics
import subprocess
import sys
import urllib.request

import rigs
from lines import report

ROUNDS = 5
ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / ".deps/peers"


def resnet50(path: pathlib.Path) -> None:
    """The architecture of ResNet-50 for ImageNet. Its weights are drawn at random: Debian's libonnx-testdata has the name of the file alone."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    draw = numpy.random.default_rng(50)
    nodes, weights, count = [], [], 0

    def convolution(of: str, inside: int, outside: int, size: int, stride: int, relu: bool = True) -> str:
        nonlocal count
        count += 1
        kernel = draw.normal(0, (2 / (inside * size * size)) ** 0.5, (outside, inside, size, size)).astype(numpy.float32)
        weights.extend([numpy_helper.from_array(kernel, f"k{count}"), numpy_helper.from_array(numpy.zeros(outside, numpy.float32), f"b{count}")])
        nodes.append(helper.make_node("Conv", [of, f"k{count}", f"b{count}"], [f"c{count}"], strides=[stride] * 2, pads=[size // 2] * 4))
        if relu:
            nodes.append(helper.make_node("Relu", [f"c{count}"], [f"r{count}"]))
        return f"r{count}" if relu else f"c{count}"

    at = convolution("x", 3, 64, 7, 2)
    nodes.append(helper.make_node("MaxPool", [at], ["pool"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]))
    at, wide = "pool", 64
    for stage, blocks in enumerate([3, 4, 6, 3]):
        narrow = 64 << stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            inner = convolution(convolution(convolution(at, wide, narrow, 1, 1), narrow, narrow, 3, stride), narrow, 4 * narrow, 1, 1, relu=False)
            aside = convolution(at, wide, 4 * narrow, 1, stride, relu=False) if block == 0 else at
            at, wide = f"s{stage}_{block}", 4 * narrow
            nodes.extend([helper.make_node("Add", [inner, aside], [f"{at}a"]), helper.make_node("Relu", [f"{at}a"], [at])])
    weights.append(numpy_helper.from_array(draw.normal(0, 0.02, (2048, 1000)).astype(numpy.float32), "w"))
    nodes.extend([helper.make_node("GlobalAveragePool", [at], ["g"]), helper.make_node("Flatten", ["g"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])])
    graph = helper.make_graph(nodes, "resnet50", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 224, 224])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1000])], weights)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString())


def models(folder: pathlib.Path) -> dict[str, tuple[pathlib.Path, str]]:
    """Each with the shape of its requests, where that is free: the example's MLP, the wheel's text recogniser, a ResNet-50."""
    recogniser = PEERS / "rapidocr/rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
    if not recogniser.exists():
        raise SystemExit("the OCR networks are not there; run scripts/setup")
    network = folder / "resnet50.onnx"
    if not network.exists():
        resnet50(network)
    return {"mlp": (rigs.digits_model(folder), ""), "ocr": (recogniser, "x=1,3,48,320"), "resnet50": (network, "x=1,3,224,224")}


def measure(*words: object) -> dict:
    done = subprocess.run([rigs.BIN / "holdfast-serve", "measure", *map(str, words)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])["result"]


def load(run: dict, shape: str, connections: int, name: str = "m") -> dict:
    url = f"http://{run['http']}"
    done = measure("bench", "--server", url, "--url", f"{url}/v2/models/{name}/versions/1", "--name", name, "--version", 1,
                   "--connections", connections, "--duration", "3s", "--shape", shape)
    if done["errors"]:
        raise SystemExit(f"{done['errors']} errors: {done['error']}")
    return done


def load_local(data: pathlib.Path, run: dict, shape: str, callers: int, calls: int) -> float:
    """Requests a second over the local door."""
    with urllib.request.urlopen(f"http://{run['http']}/v2/models/m") as answer:
        about = json.load(answer)
    command = [rigs.BIN / "bench_local_load", data / "local.sock", "m", about["inputs"][0]["name"], about["outputs"][0]["name"], calls,
               shape.partition("=")[2], 16 << 20, callers]
    return json.loads(subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout)["per_second"]


def in_turns(metric: str, our_run: dict, peer: str, their_run: dict, shape: str, alike: bool = False) -> None:
    """Two servers of one model, with one caller and with four. `alike`: with the same settings."""
    ours, theirs = {1: [], 4: []}, {1: [], 4: []}
    for _ in range(ROUNDS):
        for connections in ours:
            ours[connections].append(load(our_run, shape, connections)["per_second"])
            theirs[connections].append(load(their_run, shape, connections)["per_second"])
    report("inference", f"{metric}_one_caller", "/s", ours[1], peer, theirs[1], alike)
    report("inference", f"{metric}_saturated", "/s", ours[4], peer, theirs[4], alike)


def bench_tuned(folder: pathlib.Path) -> None:
    for name, (path, shape) in models(folder).items():
        place = folder / f"tuned-{name}"
        found = measure("tune", "--model", path, "--store", place / "tuned/tuning", "--budget", "30s", "--shape", shape)
        chosen = next(row for row in found["candidates"] if row["chosen"])
        print(f"  {name}: {chosen['candidate']}", file=sys.stderr)
        with rigs.serve_data(place / "untuned", path) as usual, rigs.serve_data(place / "tuned", path) as tuned:
            alike = chosen["usual"]
            in_turns(f"tuned_{name}", tuned, "untuned default" + ", which is the choice" * alike, usual, shape, alike)


def digits(folder: pathlib.Path) -> pathlib.Path:
    """A perceptron with twice 1,024 numbers inside, trained by scikit-learn on its digits; those that it has not seen are the samples."""
    import numpy
    import skl2onnx
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(numpy.float32)
    net = MLPClassifier((1024, 1024), max_iter=10, random_state=1).fit(images[:1200], labels[:1200])
    made = skl2onnx.to_onnx(net, images[:1], options={"zipmap": False}, target_opset=17)
    (folder / "digits-1024.onnx").write_bytes(made.SerializeToString())
    _samples(folder / "samples-digits", "X", images[1200:1600].reshape(-1, 1, 64))
    return folder / "digits-1024.onnx"


def _samples(folder: pathlib.Path, name: str, requests: object) -> None:
    import numpy
    folder.mkdir(exist_ok=True)
    for i, request in enumerate(requests):
        numpy.savez(folder / f"{i}.npz", **{name: request})


def bench_int8(folder: pathlib.Path) -> None:
    """With 8 bits among the candidates, where answers may be off by 5 % of the largest; beside the best without, that must not be."""
    import numpy
    network = models(folder)["resnet50"][0]
    _samples(folder / "samples-resnet50", "x", numpy.random.default_rng(1).normal(size=(4, 1, 3, 224, 224)).astype(numpy.float32))
    for name, path, shape in [("digits", digits(folder), "X=1,64"), ("resnet50", network, "x=1,3,224,224")]:
        place = folder / f"int8-{name}"
        measure("tune", "--model", path, "--store", place / "full/tuning", "--budget", "20s", "--shape", shape)
        found = measure("tune", "--model", path, "--store", place / "int8/tuning", "--budget", "20s", "--samples", folder / f"samples-{name}", "--tolerance", "0.05")
        chosen = next(row for row in found["candidates"] if row["chosen"])
        print(f"  {name}: {chosen['candidate']}, in 8 bits {found.get('quantized')}", file=sys.stderr)
        with rigs.serve_data(place / "full", path) as full, rigs.serve_data(place / "int8", path) as small:
            in_turns(f"int8_{name}", small, "the best in 32 bits", full, shape)


def bench_saturation(folder: pathlib.Path) -> None:
    for name, (path, shape) in models(folder).items():
        if name == "mlp":
            continue
        place = folder / f"saturation-{name}"
        measure("tune", "--model", path, "--store", place / "tuning", "--budget", "20s", "--goal", "throughput", "--shape", shape)
        ours, local = [], []
        raw: dict[str, list[float]] = {}
        with rigs.serve_data(place, path) as run:
            for _ in range(ROUNDS):
                ours.append(load(run, shape, 4)["per_second"])
                local.append(load_local(place, run, shape, 4, int(ours[0])))
                # The raw runtime: its candidates in a process that does nothing else, each for some runs at a time.
                found = measure("tune", "--model", path, "--budget", "20s", "--shape", shape)
                for row in found["candidates"]:
                    raw.setdefault(row["candidate"], []).append(row.get("per_second", 0))
        # The best by its median: the quickest of each round would be the one that had luck in it.
        best = max(raw, key=lambda candidate: statistics.median(raw[candidate]))
        print(f"  {name}: the raw runtime's best is {best}", file=sys.stderr)
        report("inference", f"saturation_{name}", "/s", ours, "the raw runtime's best", raw[best])
        report("inference", f"saturation_{name}_local", "/s", local, "the raw runtime's best", raw[best])
