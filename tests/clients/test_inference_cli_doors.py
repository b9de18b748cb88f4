"""`holdfast model …` against a server that asks for TLS, a client certificate and a token."""
import json
import os
import pathlib
import subprocess
import threading
import time

import pytest
from serve_support import BIN, Serve, scale_model
from test_inference_doors import ADMIN, READER, Authority, store

PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("HOLDFAST_")}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    site, plant, stranger = (Authority(folder, name) for name in ("site", "plant", "stranger"))
    certificate, key = site.issue("server")
    (folder / "keys").write_text(f"press-07 reader {READER}\nops admin {ADMIN}\n")
    for name, token in (("reader", READER), ("admin", ADMIN), ("wrong", "a-wrong-key-0123456789")):
        (folder / f"{name}.token").write_text(token + "\n")
    serve = Serve(folder, {"tls": {"certificate": certificate.name, "key": key.name, "client-ca": plant.path.name}, "tokens": {"keys": "keys"},
                           "breaker": {"failures": 0}})
    store(serve.data)
    with serve.running() as running:
        running.site, running.pair, running.strangers = site.path, plant.issue("ops"), stranger.issue("nobody")
        running.stranger = stranger.path
        yield running


def flags(door, token: str = "admin", ca=None, pair=None) -> list:
    certificate, key = pair or door.pair
    more = ["--serve-token-file", door.folder / f"{token}.token"] if token else []
    return ["--serve", f"https://{door.address}", "--ca", ca or door.site, "--client-certificate", certificate, "--client-key", key, *more]


def holdfast(*words, code: int = 0, env: dict | None = None) -> subprocess.CompletedProcess:
    done = subprocess.run([BIN / "holdfast", *map(str, words)], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=PLAIN | (env or {}))
    assert done.returncode == code, f"{words}: exit {done.returncode}, {done.stdout}{done.stderr}"
    assert ADMIN not in done.stderr + done.stdout and READER not in done.stderr + done.stdout
    return done


def told(*words):
    return json.loads(holdfast(*words, "-o", "json").stdout)


def test_models_are_listed_shown_sent_in_and_deleted(door, tmp_path):
    (tmp_path / "more.onnx").write_bytes(scale_model(5))
    assert [row["name"] for row in told("model", "list", *flags(door, "reader"))] == ["scale"]
    assert told("model", "show", "scale", *flags(door, "reader"))["name"] == "scale"
    assert told("model", "create", "more", "--file", tmp_path / "more.onnx", *flags(door))["version"] == "1"
    assert told("model", "create", "more", "--file", tmp_path / "more.onnx", "--version", 2, *flags(door))["version"] == "2"
    holdfast("model", "delete", "more", "--version", 1, "--yes", *flags(door))
    assert [row["version"] for row in told("model", "list", *flags(door)) if row["name"] == "more"] == ["2"]
    assert holdfast("model", "release", "more", "--version", 2, *flags(door), code=3).stderr.startswith("holdfast: version 2 of 'more' is not held")


def test_a_model_is_verified_measured_and_tuned(door):
    here = [*flags(door), "--serve-data", door.data, "--server", f"https://{door.address}"]
    assert told("model", "verify", "scale", *here)["equal"] is True
    figures = told("model", "bench", "scale", "--duration", "300ms", *here)
    assert figures["errors"] == 0 and figures["stages"][0]["count"] > 0 and figures["stages"][4]["count"] > 0, "the server's own stages too"
    tuned = told("model", "tune", "scale", "--budget", "1s", *here)
    assert tuned["applied"] is True
    # The address of a server of this machine is found with its data.
    assert told("model", "verify", "scale", *flags(door)[2:], "--serve-data", door.data)["equal"] is True


def test_a_candidate_is_begun_and_ended(door, tmp_path):
    (tmp_path / "better.onnx").write_bytes(scale_model(2))
    begun = told("model", "canary", "start", "scale", "--file", tmp_path / "better.onnx", "--share", 10, *flags(door))
    assert begun["version"] == "2" and begun["state"] == "running"
    assert told("model", "canary", "status", "scale", *flags(door, "reader"))["state"] == "running"
    assert [row["model"] for row in told("model", "canary", "status", *flags(door, "reader"))] == ["scale"]
    holdfast("model", "canary", "abort", "scale", *flags(door, "reader"), code=4)
    assert told("model", "canary", "abort", "scale", *flags(door))["state"] == "aborted"
    told("model", "canary", "start", "scale", "--version", 2, "--share", 10, *flags(door))
    assert told("model", "canary", "promote", "scale", *flags(door))["state"] == "promoted"


@pytest.mark.parametrize("verb", [["list"], ["verify", "scale"], ["bench", "scale"], ["tune", "scale"], ["canary", "status"], ["release", "scale", "--version", "1"]], ids=" ".join)
def test_who_is_not_let_in_is_told_so(door, verb):
    for token in ("", "wrong"):
        assert "token" in holdfast("model", *verb, *flags(door, token), code=4).stderr
    for wrong in ({"ca": door.stranger}, {"pair": door.strangers}):
        assert "TLS" in holdfast("model", *verb, *flags(door, **wrong), code=6).stderr
    without = ["--serve", f"https://{door.address}", "--ca", door.site, "--serve-token-file", door.folder / "admin.token"]
    holdfast("model", *verb, *without, code=6)


def test_what_changes_the_server_needs_an_admin(door, tmp_path):
    (tmp_path / "more.onnx").write_bytes(scale_model(7))
    for words in (["create", "other", "--file", tmp_path / "more.onnx"], ["release", "scale", "--version", 1], ["delete", "scale", "--version", 1, "--yes"],
                  ["canary", "promote", "scale"]):
        assert "reader" in holdfast("model", *words, *flags(door, "reader"), code=4).stderr


def test_files_that_are_none_are_named(door, tmp_path):
    certificate, key = door.pair
    assert "come together" in holdfast("model", "list", "--serve", f"https://{door.address}", "--client-certificate", certificate, code=2).stderr
    assert "no-such-file" in holdfast("model", "list", "--ca", tmp_path / "no-such-file", code=3).stderr
    assert "CA" in holdfast("model", "list", "--ca", key, code=1).stderr
    assert "private key" in holdfast("model", "list", "--client-certificate", certificate, "--client-key", door.strangers[1], code=1).stderr


def test_the_environment_names_them_as_well(door):
    certificate, key = door.pair
    env = {"HOLDFAST_SERVE": f"https://{door.address}", "HOLDFAST_CA": str(door.site), "HOLDFAST_CLIENT_CERTIFICATE": str(certificate), "HOLDFAST_CLIENT_KEY": str(key),
           "HOLDFAST_SERVE_TOKEN_FILE": str(door.folder / "reader.token")}
    assert "scale" in holdfast("model", "list", env=env).stdout
    assert "requests/s" in holdfast("model", "bench", "scale", "--duration", "100ms", "-o", "table", env=env).stderr


def test_no_secret_is_in_an_argument(door):
    seen, done = [], threading.Event()

    def look():
        while not done.is_set():
            for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = entry.read_bytes()
                except OSError:
                    continue
                if b"measure" in line or b"bench" in line:
                    seen.append(line)
            time.sleep(0.01)

    looker = threading.Thread(target=look)
    looker.start()
    holdfast("model", "bench", "scale", "--duration", "500ms", *flags(door))
    done.set()
    looker.join()
    assert any(b"measure" in line and b"admin.token" in line for line in seen), "it was looked while it ran"
    assert not any(ADMIN.encode() in line or b"PRIVATE KEY" in line for line in seen)
