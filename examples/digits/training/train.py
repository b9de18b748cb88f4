"""A job: learns a data version's train rows and leaves model.onnx; parameters and metrics go to its MLflow run."""
import argparse
import pathlib
import time

import mlflow
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.neural_network import MLPClassifier

from dataset import read

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", type=pathlib.Path, required=True)
parser.add_argument("--out", type=pathlib.Path, required=True)
parser.add_argument("--hidden", type=int, default=64)
parser.add_argument("--seed", type=int, default=7)
arguments = parser.parse_args()

begin = time.monotonic()
rows = read(arguments.data)
learn = ~rows.test
print(f"{len(rows.labels)} labelled pictures: {learn.sum()} to learn from, {rows.test.sum()} held out", flush=True)
with mlflow.start_run():
    mlflow.log_params({"hidden": arguments.hidden, "seed": arguments.seed, "train_rows": int(learn.sum()), "test_rows": int(rows.test.sum())})
    model = MLPClassifier(hidden_layer_sizes=(arguments.hidden,), max_iter=600, random_state=arguments.seed)
    model.fit(rows.pixels[learn], rows.labels[learn])
    for step, loss in enumerate(model.loss_curve_[::20]):
        mlflow.log_metric("loss", loss, step=step * 20)
    mlflow.log_metric("train_accuracy", model.score(rows.pixels[learn], rows.labels[learn]))
    if rows.test.any():
        mlflow.log_metric("test_accuracy", model.score(rows.pixels[rows.test], rows.labels[rows.test]))
    onnx = to_onnx(model, initial_types=[("pixels", FloatTensorType([None, 64]))], options={"zipmap": False}, target_opset=17)
    (arguments.out / "model.onnx").write_bytes(onnx.SerializeToString())
print(f"learned in {time.monotonic() - begin:.1f} s, {model.n_iter_} rounds", flush=True)
