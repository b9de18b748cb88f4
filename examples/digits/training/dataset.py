"""What a data version of the digits holds: tensors in batches (each with a manifest), and operators' label files.

A label file is labels/NAME.csv with the columns file, label and split (`train`, or `test`: never learned from). Where
two name the same picture, the later one in the order of their names counts.
"""
import csv
import json
import pathlib
from typing import NamedTuple

import numpy


class Rows(NamedTuple):
    pixels: numpy.ndarray  # float32, rows × 64, levels 0–1
    labels: numpy.ndarray  # int64
    test: numpy.ndarray    # bool: held out
    source: list[str]      # the label file's name


def read(data: pathlib.Path) -> Rows:
    said: dict[str, tuple[int, bool, str]] = {}
    for path in sorted((data / "labels").glob("*.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                said[row["file"]] = (int(row["label"]), row["split"] == "test", path.stem)
    pixels, rows = [], []
    for manifest in sorted(data.glob("*.json")):
        batch = numpy.load(manifest.with_suffix(".npy"))
        for index, row in enumerate(json.loads(manifest.read_text())["rows"]):
            if row["file"] in said:
                pixels.append(batch[index])
                rows.append(said[row["file"]])
    if not rows:
        raise SystemExit(f"{data}: no picture has a label")
    return Rows(numpy.stack(pixels), numpy.array([row[0] for row in rows]), numpy.array([row[1] for row in rows]), [row[2] for row in rows])
