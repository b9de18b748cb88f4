"""MLCommons' LoadGen, unmodified, runs its four scenarios against the server by tritonclient; every answer is the raw runtime's. Figures are the benchmark's (`bench/loadgen.py`)."""
import json
import pathlib
import subprocess
import sys

import pytest
from serve_support import Serve, digits_model

LOADGEN = pathlib.Path(__file__).resolve().parents[2] / "bench/loadgen.py"


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve")).running() as running:
        assert running.put("digits", 1, digits_model(running.folder)[0])[0] == 201
        yield running


@pytest.mark.parametrize("scenario", ["SingleStream", "MultiStream", "Offline", "Server"])
def test_a_scenario_completes_with_right_answers(serve, scenario):
    done = subprocess.run([sys.executable, LOADGEN, scenario, serve.address, serve.folder / "digits.onnx", "1"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["figure"] > 0
