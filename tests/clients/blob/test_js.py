"""@azure/storage-blob, unmodified, on node: js/*.test.cjs is run once, and every test there is one here."""
import os
import pathlib
import re
import subprocess
import xml.etree.ElementTree

import pytest

HERE = pathlib.Path(__file__).parent
DEPS = HERE.parents[2] / ".deps"
CASES = [(file.name, name) for file in sorted(HERE.glob("js/*.test.cjs")) for name in re.findall(r'^test\("([^"]+)"', file.read_text(), re.M)]


@pytest.fixture(scope="module")
def outcomes(hub):
    account = hub.create_account()
    done = {}
    for file in sorted(HERE.glob("js/*.test.cjs")):
        environment = os.environ | {"NODE_PATH": str(DEPS / "js/node_modules"), "CONNECTION": (
            f"DefaultEndpointsProtocol=http;AccountName={account.name};AccountKey={account.key};BlobEndpoint={account.endpoint};")}
        run = subprocess.run([DEPS / "venv/bin/node", "--test", "--test-reporter=junit", file], env=environment,
                             capture_output=True, text=True, timeout=120)
        for case in xml.etree.ElementTree.fromstring(run.stdout).iter("testcase"):
            failure = case.find("failure")
            done[file.name, case.get("name")] = "" if failure is None else failure.text or failure.get("message")
    return done


@pytest.mark.parametrize("file, name", CASES, ids=[name for _, name in CASES])
def test_js(outcomes, file, name):
    assert outcomes[file, name] == ""
