"""What both halves of the demo share: its folders, the CLI, steps on the screen, waiting with a reason."""
import json
import os
import pathlib
import subprocess
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/release/bin"))
WORK = pathlib.Path(os.environ.get("DEMO_DIR", ROOT / "build/demo"))
DATA = WORK / "data"
started = time.monotonic()


def step(text: str) -> None:
    print(f"\n[{time.monotonic() - started:5.1f} s] {text}", flush=True)


def show(label: str, value: str) -> None:
    print(f"    {label:<24} {value}", flush=True)


def holdfast(*words: str) -> str:
    """Runs one CLI verb and returns what it printed."""
    done = subprocess.run([BIN / "holdfast", *words, "--data", DATA], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"holdfast {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def holdfast_json(*words: str):
    return json.loads(holdfast(*words, "-o", "json"))


def get_json(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_until(what: str, seconds: float, check):
    """Asks `check` until it gives something; says what was missing when time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"after {seconds:.0f} s still no {what}; the logs are in {DATA / 'log'}")


def answer_lines() -> list[dict]:
    """Every whole line of the closed answer files and of the one that is still open."""
    folder, lines = DATA / "edge/shares/answers", []
    for path in [*folder.glob("answers-*.jsonl"), *folder.glob(".answers-*.jsonl.open")]:
        try:
            text = path.read_text()
        except FileNotFoundError:  # it has just been closed under its other name, and is read next time
            continue
        lines += [json.loads(line) for line in text.split("\n")[:-1]]
    return lines
