"""A job: measures two model versions on the same rows and logs champion/… and challenger/… for the gate."""
import argparse
import pathlib

import mlflow
import numpy
import onnxruntime

from dataset import read

parser = argparse.ArgumentParser(description=__doc__)
for name in ("data", "champion", "challenger"):
    parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
arguments = parser.parse_args()

rows = read(arguments.data)
source = numpy.array(rows.source)
sets = {"old": source == min(rows.source), "new": source != min(rows.source), "unseen": rows.test}
with mlflow.start_run():
    for who in ("champion", "challenger"):
        session = onnxruntime.InferenceSession(getattr(arguments, who) / "model.onnx")
        right = session.run(None, {session.get_inputs()[0].name: rows.pixels})[0] == rows.labels
        for name, chosen in sets.items():
            if chosen.any():
                mlflow.log_metric(f"{who}/{name}", right[chosen].mean())
                print(f"{who:<10} {name:<7} {right[chosen].mean():.3f} ({right[chosen].sum()} of {chosen.sum()})", flush=True)
