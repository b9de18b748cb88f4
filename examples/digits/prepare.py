"""Writes the 1,797 handwritten digits of the UCI optical recognition set as 8×8 grey PNG files.

They come with scikit-learn and keep the file's own order (neighbours tend to share a writer). A pixel has 17
levels; PNG value = level × 15, so nothing is lost and the picture is visible. labels.csv names each one's digit.
"""
import csv
import pathlib
import sys

from PIL import Image
from sklearn.datasets import load_digits


def write_digits(folder: pathlib.Path, first: int = 0, count: int | None = None) -> list[tuple[pathlib.Path, int]]:
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    last = len(digits.images) if count is None else min(first + count, len(digits.images))
    written = []
    for index in range(first, last):
        path = folder / f"digit-{index:04d}.png"
        Image.fromarray((digits.images[index] * 15).astype("uint8"), mode="L").save(path)
        written.append((path, int(digits.target[index])))
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: prepare.py FOLDER    writes digit-0000.png … and labels.csv there")
    target = pathlib.Path(sys.argv[1])
    rows = write_digits(target)
    with open(target / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *((path.name, label) for path, label in rows)])
    print(f"{len(rows)} digits in {target}")
