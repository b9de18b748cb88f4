"""holdfast-edge asks its inference server through the local door: kill -9 in between, answers too large for it, a door that is not there."""
import os
import signal
import socket
import urllib.request

import numpy
import onnx
import pytest
from onnx import TensorProto, helper
from test_edge_flow import Edge, Model, listens, picture, wait_for

MANAGED = 'serve: {{listen: "127.0.0.1:0"}}\n'


def mean_model(rows: int = 1) -> bytes:
    """`mean` of 16 numbers, `rows` times over."""
    nodes = [helper.make_node("ReduceMean", ["X"], ["m"], axes=[1], keepdims=1), helper.make_node("Expand", ["m", "shape"], ["mean"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 16])],
                              [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", rows])],
                              [helper.make_tensor("shape", TensorProto.INT64, [2], [1, rows])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def put(edge: Edge, version: int, model: bytes) -> None:
    url = f"http://{edge.run_json()['serve']}/api/v1/models/mean/versions/{version}"
    with urllib.request.urlopen(urllib.request.Request(url, model, method="PUT"), timeout=60) as answer:
        assert answer.status in (200, 201)


def answers(edge: Edge) -> dict:
    return edge.get("/api/v1/answers?limit=1")["answers"][0]


@pytest.fixture
def edge(tmp_path, request):
    model = Model()
    edge = Edge(tmp_path, model)
    section = getattr(request, "param", MANAGED).format(port=model.server_address[1])
    (tmp_path / "edge.yaml").write_text((tmp_path / "edge.yaml").read_text().split("serve:")[0] + section)
    edge.start()
    wait_for(lambda: serve_is_up(edge), "a ready server")
    yield edge
    edge.stop()
    model.shutdown()


def serve_is_up(edge: Edge) -> bool:
    host, port = edge.run_json()["serve"].split(":")
    return listens((host, int(port)))


def drop(edge: Edge, start: int, count: int) -> dict[str, float]:
    wanted = {}
    for number in range(start, start + count):
        edge.put(f"p{number}.png", picture(number % 256))
        wanted[f"p{number}.png"] = number % 256 / 255
    return wanted


def check(edge: Edge, wanted: dict[str, float]) -> None:
    def all_of_them() -> list[dict]:
        found = edge.lines()  # without those of a file that is renamed meanwhile
        return found if len(found) >= len(wanted) else []

    lines = wait_for(all_of_them, f"{len(wanted)} answers", 60)
    assert sorted(line["file"] for line in lines) == sorted(wanted)
    for line in lines:
        numpy.testing.assert_allclose(numpy.ravel(line["outputs"]["mean"]), wanted[line["file"]], rtol=1e-5)


def test_files_are_answered_through_the_door(edge):
    put(edge, 1, mean_model())
    check(edge, drop(edge, 0, 40))
    assert answers(edge)["way"] == "local"
    door = edge.data / "serve/local.sock"
    assert door.is_socket() and door.stat().st_mode & 0o777 == 0o600
    log = (edge.folder / "edge.log").read_text()
    assert "asks through the local door" in log and "over HTTP, not" not in log


def test_a_killed_server_loses_and_repeats_nothing(edge):
    put(edge, 1, mean_model())
    wanted = drop(edge, 0, 10)
    check(edge, wanted)
    for life in range(3):
        wanted |= drop(edge, 100 * (life + 1), 60)
        os.kill(edge.get("/api/v1/status")["serve"]["pid"], signal.SIGKILL)
        wanted |= drop(edge, 100 * (life + 1) + 60, 20)
        check(edge, wanted)
        wait_for(lambda: answers(edge)["way"] == "local", "the door again")
    assert edge.get("/api/v1/status")["serve"]["restarts"] == 3
    assert edge.get("/api/v1/transforms")["transforms"][0]["set_aside"] == 0


def test_an_answer_too_large_for_the_door_comes_over_http(edge):
    put(edge, 1, mean_model(20_000))
    check(edge, drop(edge, 0, 5))
    assert answers(edge)["way"] == "http"
    put(edge, 2, mean_model(2))
    wanted = {f"p{number}.png": number / 255 for number in range(5)} | drop(edge, 5, 5)
    check(edge, wanted)
    edge.put("last.png", picture(9))
    wait_for(lambda: answers(edge)["way"] == "local", "the door again")


@pytest.mark.parametrize("edge", ['serve: {{listen: "127.0.0.1:0", local: ""}}\n', 'serve: {{listen: "127.0.0.1:0", local: "' + "n" * 120 + '"}}\n'], indirect=True, ids=["switched off", "too long"])
def test_without_a_door_files_are_answered_over_http(edge):
    put(edge, 1, mean_model())
    check(edge, drop(edge, 0, 10))
    assert answers(edge)["way"] == "http" and not (edge.data / "serve/local.sock").exists()
    assert ("too long for a socket" in (edge.folder / "edge.log").read_text()) == ("nnn" in (edge.folder / "edge.yaml").read_text())


def test_a_door_of_another_program_is_left_to_it(tmp_path):
    model = Model()
    edge = Edge(tmp_path, model)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(tmp_path / "taken.sock"))
        other.listen()
        for path, way in (("taken.sock", "http"), ("folder/of/its/own.sock", "local")):
            (tmp_path / "edge.yaml").write_text((tmp_path / "edge.yaml").read_text().split("serve:")[0] + f'serve: {{listen: "127.0.0.1:0", local: {path}}}\n')
            edge.start()
            wait_for(lambda: serve_is_up(edge), "a ready server")
            put(edge, 1, mean_model())
            edge.put(f"{way}.png", picture(9))
            wait_for(lambda: answers(edge)["way"] == way, f"an answer by {way}")
            assert edge.stop() == 0
    model.shutdown()
    assert "another program listens there" in (tmp_path / "edge.log").read_text()


@pytest.mark.parametrize("edge", ['serve: {{listen: "127.0.0.1:{port}", managed: false, local: nobody.sock}}\n'], indirect=True, ids=["nobody"])
def test_a_door_that_is_not_there_is_told_once_and_done_without(edge):
    check(edge, drop(edge, 0, 10))
    assert answers(edge)["way"] == "http"
    log = (edge.folder / "edge.log").read_text()
    assert log.count("asks over HTTP, not through the local door") == 1 and "nobody.sock: No such file" in log
