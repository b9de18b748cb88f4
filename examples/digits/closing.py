"""The second half of the demo: labels come, and training, comparison and deployment follow by themselves."""
import calendar
import csv
import json
import pathlib
import shutil
import statistics
import threading
import time
import urllib.request
from collections import Counter
from math import log

import numpy

from common import DATA, HERE, answer_lines, holdfast, holdfast_json, show, wait_until

READY = DATA / "edge/shares/ready"


def label_file(name: str, rows: list[tuple[str, int]], test_every: int = 0) -> None:
    """An operator's file in the cloud share; every `test_every`th picture is held out from all training."""
    (READY / "labels").mkdir(exist_ok=True)
    hidden = READY / "labels" / f".{name}.csv.part"
    with open(hidden, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("file", "label", "split"))
        for index, (picture, label) in enumerate(rows):
            out.writerow((picture, label, "test" if test_every and index % test_every == test_every - 1 else "train"))
    hidden.rename(READY / "labels" / f"{name}.csv")


def post(url: str, body: bytes) -> dict:
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=10) as answer:
        return json.load(answer)


class Prober(threading.Thread):
    """A client that never stops asking, so that a request that fails during a switch is seen."""

    def __init__(self, serve: str):
        super().__init__(daemon=True)
        self.url, self.asked, self.failed = f"{serve}/v2/models/digits/infer", 0, 0
        self.first_answer: dict[str, float] = {}
        self.ending = threading.Event()
        self.body = json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}]}).encode()

    def run(self) -> None:
        while not self.ending.is_set():
            self.asked += 1
            try:
                self.first_answer.setdefault(post(self.url, self.body)["model_version"], time.time())
            except OSError:
                self.failed += 1
            time.sleep(0.005)


def firing(trigger: str, version: int) -> dict | None:
    return next((one for one in holdfast_json("trigger", "log", trigger) if one["version"] == str(version)), None)


def ended(trigger: str, version: int, states: tuple[str, ...]) -> dict:
    def look():
        found = firing(trigger, version)
        if found and found["state"] == "failed":
            raise SystemExit(f"{trigger} of version {version} failed: {found['reason']}")
        return found if found and found["state"] in states else None
    return wait_until(f"{trigger} of version {version} in {' or '.join(states)}", 60, look)


def seconds(stamp: str) -> float:
    whole, fraction = stamp.removesuffix("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + fraction)


def script_time(*jobs: str) -> float:
    found = [holdfast_json("job", "show", job) for job in jobs if job]
    return sum(seconds(job["ended"]) - seconds(job["started"]) for job in found)


def uploaded_at(client, name: str) -> float:
    return client.get_blob_client("ready", f"labels/{name}.csv").get_blob_properties().last_modified.timestamp()


def show_version(version: int) -> dict:
    """What a version is and where it came from, as the hub tells it."""
    trace = holdfast_json("model", "show", "digits", "--version", str(version))
    data = trace["data"][0]
    show("data version", f"digits:{data['version']}  {data['files']} files  {data['digest'][:19]}…")
    show("run", f"{trace['run']['id']}  {trace['run']['params']['train_rows']} rows learned, job {trace['job']}")
    show("model version", f"digits {version}  {trace['image']['model_digest'][:19]}…")
    show("image", trace["image"]["reference"][:40] + "…")
    show("moved to the device", f"{trace['image']['layer_bytes']:,} bytes: the model layer alone")
    return trace


def learn_first(pictures: list[tuple[pathlib.Path, int]]) -> None:
    holdfast("trigger", "create", "--file", str(HERE / "training/retrain.yaml"))
    holdfast("trigger", "create", "--file", str(HERE / "training/champion.yaml"))
    show("triggers", "retrain: on labels/*.csv; champion: on a new model version")
    label_file("first", [(path.name, label) for path, label in pictures])
    put = time.time()
    ended("retrain", 1, ("completed",))
    gate = ended("champion", 1, ("deployed",))
    trace = show_version(1)
    show("serving on the device", f"{seconds(gate['updated']) - put:.1f} s after the labels were put, {script_time(trace['job']):.1f} s of them the script's own")


def label_free(serve: str, fresh: list[dict]) -> None:
    """What moves before anyone has labelled anything: how sure the model is, and which classes it sees."""
    learned = numpy.load(next(READY.glob("first-*.npy")))
    request = {"inputs": [{"name": "pixels", "datatype": "FP32", "shape": list(learned.shape), "data": learned.ravel().tolist()}]}
    said = {one["name"]: one["data"] for one in post(f"{serve}/v2/models/digits/infer", json.dumps(request).encode())["outputs"]}
    classes = [said["label"], [line["outputs"]["label"] for line in fresh]]
    sure = [numpy.reshape(said["probabilities"], (-1, 10)).max(axis=1).mean(), statistics.mean(max(line["outputs"]["probabilities"]) for line in fresh)]
    show("confidence", f"{sure[0]:.3f} on what it learned → {sure[1]:.3f} on the new ones")
    mixes = [[(Counter(seen)[digit] + 0.5) / (len(seen) + 5) for digit in range(10)] for seen in classes]
    show("class mix", f"PSI {sum((b - a) * log(b / a) for a, b in zip(*mixes)):.3f} against what it learned")


def improve(labels: dict[str, int], client, serve: str) -> dict:
    """The operator's labels of the new pictures: version 2 by itself, while a client keeps asking."""
    prober = Prober(serve)
    prober.start()
    label_file("second", sorted(labels.items()), test_every=4)
    ended("retrain", 2, ("completed",))
    gate = ended("champion", 2, ("deployed", "refused"))
    if gate["state"] != "deployed":
        raise SystemExit(f"version 2 was refused: {gate['reason']}")
    wait_until("answer of version 2", 10, lambda: "2" in prober.first_answer)
    trace = show_version(2)
    whole = prober.first_answer["2"] - uploaded_at(client, "second")
    scripts = script_time(trace["job"], gate["job"])
    show("label file → serving", f"{whole:.1f} s (to the second), {scripts:.1f} s of them the scripts' own")
    prober.ending.set()
    prober.join()
    show("requests meanwhile", f"{prober.asked} asked, {prober.failed} failed")
    if prober.failed:
        raise SystemExit("a request failed while the version was switched")
    return gate


def refuse(labels: dict[str, int]) -> dict:
    """Someone mislabels: every digit one too high. The version that learns it must not reach the device."""
    wrong = [(name, (label + 1) % 10) for index, (name, label) in enumerate(sorted(labels.items())) if index % 4 != 3]
    label_file("third", wrong)
    ended("retrain", 3, ("completed",))
    gate = ended("champion", 3, ("deployed", "refused"))
    if gate["state"] != "refused":
        raise SystemExit("version 3 was let through")
    show("version 3", f"refused: {gate['reason']}")
    desired = holdfast_json("twin", "show", "this-machine", "--module", "$edgeAgent")["properties"]["desired"]["modules"]["digits"]
    show("on the device", f"digits {desired['version']}, as before")
    return gate


def accuracy_table(gates: list[dict]) -> None:
    """Of each version on the first 260 (old), the 520 that followed (new), and those that no version learned (unseen)."""
    print("\n    version     old     new  unseen", flush=True)
    measured: dict[int, dict[str, float]] = {}
    for gate in gates:
        for finding in gate["verdict"]["findings"]:
            champion = 1 if gate is gates[0] else 2
            measured.setdefault(champion, {}).setdefault(finding["metric"], finding["champion"])
            measured.setdefault(int(gate["version"]), {})[finding["metric"]] = finding["challenger"]
    for version, values in sorted(measured.items()):
        print(f"    {version:<7} " + " ".join(f"{values[name]:7.3f}" for name in ("old", "new", "unseen")), flush=True)
    print("    (the new ones of version 3 by the bad labels that it learned; unseen ones by the right labels)", flush=True)


def trace_answer(folder: pathlib.Path, picture: pathlib.Path) -> None:
    """One more picture; its answer's digest leads back to everything that made it."""
    shutil.copyfile(picture, folder / ".last.png.part")
    (folder / ".last.png.part").rename(folder / "last.png")
    line = wait_until("answer to last.png", 20, lambda: next((one for one in answer_lines() if one["file"] == "last.png"), None))
    show("answer", f"last.png is a {line['outputs']['label']}, says {line['model_digest'][:19]}… (version {line['model_version']})")
    print(holdfast("model", "show", line["model_digest"], "-o", "table"), end="")
