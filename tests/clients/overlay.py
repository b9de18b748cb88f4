"""Runs a script in one of the Python environments of scripts/setup that hold clients whose dependencies are not those of the others."""
import json
import pathlib
import subprocess

DEPS = pathlib.Path(__file__).parents[2] / ".deps"


def run(environment: str, script: str, *arguments: str) -> dict:
    """What the script prints last, a line of JSON. It may import what stands beside this file."""
    done = subprocess.run([DEPS / environment / "bin/python", "-c", script, *arguments], capture_output=True, text=True, timeout=120, cwd=pathlib.Path(__file__).parent)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
