"""Trains a scikit-learn MLP on the first digits and exports it to ONNX (skl2onnx, zipmap off: plain tensors)."""
import argparse
import pathlib

from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier


def train(rows: int, seed: int = 7) -> MLPClassifier:
    """On the first `rows` digits; pixels are levels 0–1, as the transform's recipe makes them."""
    digits = load_digits()
    model = MLPClassifier(hidden_layer_sizes=(64,), max_iter=600, random_state=seed)
    return model.fit(digits.data[:rows] / 16, digits.target[:rows])


def export(model: MLPClassifier, path: pathlib.Path) -> None:
    onnx = to_onnx(model, initial_types=[("pixels", FloatTensorType([None, 64]))], options={"zipmap": False}, target_opset=17)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(onnx.SerializeToString())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=260, help="how many of the first digits to learn")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("digits.onnx"))
    arguments = parser.parse_args()
    export(train(arguments.rows), arguments.out)
    print(f"learned the first {arguments.rows} digits; the model is {arguments.out}")
