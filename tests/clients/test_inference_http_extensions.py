"""tritonclient[http], unmodified: classification, logging, tracing, shared memory."""
import numpy
import onnxruntime
import pytest
import tritonclient.http as triton
from onnx import TensorProto
from serve_support import Serve, digits_model, echo_model
from tritonclient.utils import InferenceServerException


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve")).running() as running:
        running.model, running.digits = digits_model(running.folder)
        assert running.put("digits", 1, running.model)[0] in (200, 201)
        assert running.put("flags", 1, echo_model(TensorProto.BOOL))[0] in (200, 201)
        yield running


@pytest.fixture
def client(serve):
    with triton.InferenceServerClient(serve.address) as made:
        yield made


def pixels(values: numpy.ndarray) -> list[triton.InferInput]:
    made = triton.InferInput("pixels", list(values.shape), "FP32")
    made.set_data_from_numpy(values)
    return [made]


@pytest.mark.parametrize("binary", [True, False])
def test_classification_names_the_best(serve, client, binary):
    outputs = [triton.InferRequestedOutput("label", binary_data=binary), triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=3)]
    answer = client.infer("digits", pixels(serve.digits[:5]), outputs=outputs)
    raw = onnxruntime.InferenceSession(serve.model, providers=["CPUExecutionProvider"]).run(["label", "probabilities"], {"pixels": serve.digits[:5]})
    rows = answer.as_numpy("probabilities")
    assert rows.shape == (5, 3)
    texts = [[item.decode() if isinstance(item, bytes) else item for item in row] for row in rows]
    assert [[int(item.split(":")[1]) for item in row] for row in texts] == numpy.argsort(-raw[1], kind="stable")[:, :3].tolist()
    assert [float(row[0].split(":")[0]) for row in texts] == pytest.approx(raw[1].max(1), abs=1e-5)
    numpy.testing.assert_array_equal(answer.as_numpy("label"), raw[0])


def test_what_cannot_be_classified_is_refused(client):
    flags = triton.InferInput("x", [1, 3], "BOOL")
    flags.set_data_from_numpy(numpy.zeros((1, 3), numpy.bool_))
    with pytest.raises(InferenceServerException) as error:
        client.infer("flags", [flags], outputs=[triton.InferRequestedOutput("y", class_count=1)])
    assert error.value.status() == "400" and "BOOL" in error.value.message()
    assert "classification" in client.get_server_metadata()["extensions"]


def test_logging_is_read_and_changed(client):
    settings = client.get_log_settings()
    assert settings == {"log_file": "", "log_info": True, "log_warning": True, "log_error": True, "log_verbose_level": 0, "log_format": "ISO8601"}
    assert client.update_log_settings({"log_verbose_level": 2})["log_verbose_level"] == 1
    assert client.get_log_settings()["log_verbose_level"] == 1
    client.update_log_settings({"log_verbose_level": 0})
    assert client.update_log_settings({"log_info": False})["log_info"] is False
    client.update_log_settings({"log_info": True})
    for wrong, status in (({"log_error": False}, "400"), ({"log_info": 1}, "400"), ({"nothing": True}, "400"), ({"log_file": "/etc/x"}, "501"), ({"log_info": None}, "400")):
        with pytest.raises(InferenceServerException) as error:
            client.update_log_settings(wrong)
        assert error.value.status() == status, wrong
    assert client.get_log_settings() == settings


def test_tracing_is_off_and_says_so(client):
    assert client.get_trace_settings()["trace_level"] == ["OFF"] == client.get_trace_settings("digits")["trace_level"]
    client.update_trace_settings(settings={"trace_level": ["OFF"], "trace_count": None})
    for name, wrong, status in ((None, {"trace_level": ["TIMESTAMPS"]}, "501"), (None, {"trace_file": "/etc/x"}, "501"), (None, {"nothing": "1"}, "400"), ("nobody", {}, "404")):
        with pytest.raises(InferenceServerException) as error:
            client.update_trace_settings(name, wrong)
        assert error.value.status() == status, wrong
