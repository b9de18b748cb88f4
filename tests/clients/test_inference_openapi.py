"""Azure ML's /swagger.json and a document for each model: valid to the specifications' own schemas, and their examples are answered."""
import json
import urllib.error
import urllib.parse
import urllib.request

import numpy
import pytest
from jsonschema import Draft4Validator
from onnx import TensorProto, helper
from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from PIL import Image
from serve_support import Serve, _model, conv_model, deep_model, echo_model, picky_model, scale_model, text_model, two_by_two_model

FORMS = {"2": ("2.0", OpenAPIV2SpecValidator, Draft4Validator), "3": ("3.0.3", OpenAPIV30SpecValidator, OAS30Validator),
         "3.1": ("3.1.0", OpenAPIV31SpecValidator, OAS31Validator)}
READER, ADMIN = "reader-key-0123456789", "admin-key-0123456789"
ODD = 'x/~1 {y}"\\ é漢'  # a tensor's name may be any text


def odd_model() -> bytes:
    """Two outputs of one input, whose names need escapes everywhere; sizes are free within, too."""
    return _model([helper.make_node("Identity", [ODD], [ODD + "1"]), helper.make_node("Not", [ODD], [ODD + "2"])],
                  [helper.make_tensor_value_info(ODD, TensorProto.BOOL, [2, "free", 3])],
                  [helper.make_tensor_value_info(ODD + end, TensorProto.BOOL, [2, "free", 3]) for end in "12"])


def scalar_model() -> bytes:
    """A number without any list around it."""
    return _model([helper.make_node("Neg", ["x"], ["y"])], [helper.make_tensor_value_info("x", TensorProto.INT64, [])],
                  [helper.make_tensor_value_info("y", TensorProto.INT64, [])])


def fixed_model() -> bytes:
    """Not one free size."""
    return _model([helper.make_node("Neg", ["x"], ["y"])], [helper.make_tensor_value_info("x", TensorProto.INT8, [2, 3])],
                  [helper.make_tensor_value_info("y", TensorProto.INT8, [2, 3])])


def log_model() -> bytes:
    """The logarithm of nothing is no number of JSON."""
    return _model([helper.make_node("Log", ["x"], ["y"])], [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", 2])],
                  [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", 2])])


MODELS = {"scale": scale_model(2), "two": two_by_two_model(), "texts": text_model(), "odd": odd_model(), "scalar": scalar_model(), "fixed": fixed_model(), "log": log_model(),
          "conv": conv_model(), "uint64": echo_model(TensorProto.UINT64), "half": echo_model(TensorProto.FLOAT16), "picky": picky_model(),
          "wide": deep_model(1, 2000), "Photo-1.2_x": conv_model()}
ASKED_BY_SCORE = set(MODELS) - {"two", "scalar", "half"}
WITHOUT_EXAMPLE = {"half", "picky", "wide"}  # binary alone; refuses zeros; too large


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    serve = Serve(tmp_path_factory.mktemp("openapi"))
    folder = serve.data / "models/Photo-1.2_x"
    folder.mkdir(parents=True)
    (folder / "picture.yaml").write_text("steps:\n  - decode: {color: rgb}\n  - resize: {width: 16, height: 16}\n  - layout: chw\n  - type: float32\n")
    with serve.running() as running:
        for name, model in MODELS.items():
            assert running.put(name, 1, model)[0] == 201
        yield running


def ask(serve, path: str, body: bytes | None = None, headers: dict | None = None):
    """(status, parsed body, headers)"""
    request = urllib.request.Request(f"http://{serve.address}{path}", body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def document(serve, path: str, version: str) -> dict:
    status, found, headers = ask(serve, path + ("&" if "?" in path else "?") + f"version={version}")
    assert status == 200 and headers["Content-Type"] == "application/json", found
    word, validator, _ = FORMS[version]
    assert found["swagger" if version == "2" else "openapi"] == word
    validator(found).validate()
    assert len(json.dumps(found)) < 32_000
    return found


def schemas(found: dict) -> dict:
    return found["definitions"] if "definitions" in found else found["components"]["schemas"]


def example(schema: dict):
    return schema["examples"][0] if "examples" in schema else schema.get("example")


def fits(found: dict, version: str, schema: str, value) -> bool:
    described = schemas(found)[schema]
    assert "$ref" not in json.dumps(described)  # so that it can be used by itself
    return FORMS[version][2](nullable(described) if version == "2" else described).is_valid(value)


def nullable(schema):
    """Swagger 2.0 has no word for it; the vendors' is x-nullable."""
    if isinstance(schema, list):
        return [nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: [item, "null"] if key == "type" and schema.get("x-nullable") else nullable(item) for key, item in schema.items()}


def check_example(serve, found: dict, version: str, name: str, path: str, sent: str, answered: str) -> None:
    """There is one where the model takes one; it fits its schema, and what the server answers fits that of the answer."""
    body = example(schemas(found)[sent])
    assert (body is None) == (name in WITHOUT_EXAMPLE)
    if body is not None:
        assert fits(found, version, sent, body)
        status, answer, _ = ask(serve, path, json.dumps(body).encode())
        assert status == 200 and fits(found, version, answered, answer), answer


@pytest.mark.parametrize("version", FORMS)
@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_models_document_is_valid_and_its_example_is_answered(serve, name, version):
    found = document(serve, f"/v2/models/{name}/openapi.json", version)
    assert set(found["paths"]) == {f"/v2/models/{name}{end}" for end in ("", "/ready", "/infer", "/openapi.json")} and found["info"]["version"] == "1"
    post = found["paths"][f"/v2/models/{name}/infer"]["post"]
    assert {"200", "400", "404", "408", "413", "429", "503", "504"} <= set(post["responses"]) and "401" not in post["responses"]
    assert "Retry-After" in post["responses"]["429"]["headers"] and "security" not in found
    assert "Inference-Header-Content-Length" in [parameter["name"] for parameter in post["parameters"]]
    for end, schema in (("", "Metadata"), ("/ready", "Ready")):
        status, answer, _ = ask(serve, f"/v2/models/{name}{end}")
        assert status == 200 and fits(found, version, schema, answer)
    check_example(serve, found, version, name, f"/v2/models/{name}/infer", "InferRequest", "InferResponse")


@pytest.mark.parametrize("version", FORMS)
@pytest.mark.parametrize("name", sorted(MODELS))
def test_swagger_describes_score_and_its_example_is_answered(serve, name, version):
    found = document(serve, f"/swagger.json?model={name}", version)
    assert set(found["paths"]) == {"/", "/swagger.json", *(["/score"] if name in ASKED_BY_SCORE else [])}
    if name not in ASKED_BY_SCORE:
        status, answer, _ = ask(serve, f"/score?model={name}", b'{"data":[[1]]}')
        assert status in (400, 501), answer
        assert f"/v2/models/{name}/infer" in found["info"]["description"]
        return
    post = found["paths"]["/score"]["post"]
    which = next(parameter for parameter in post["parameters"] if parameter["name"] == "model")
    assert which["required"] and (which if version == "2" else which["schema"])["enum"] == [name]
    check_example(serve, found, version, name, f"/score?model={name}", "ServiceInput", "ServiceOutput")


@pytest.mark.parametrize("version", FORMS)
def test_schemas_tell_right_requests_from_wrong_ones(serve, version):
    scale = document(serve, "/v2/models/scale/openapi.json", version)

    def request(**changed) -> dict:
        return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2.5, 3, 4]} | changed]}

    wrong = [{}, {"inputs": []}, request(name="z"), request(datatype="FP64"), request(shape=[4]), request(shape=[-1, 2])]
    if version == "3.1":
        wrong.append(request(shape=[2, 3]))  # what the other forms cannot say
    for right in (request(), request(data=[[1, 2.5], [3, 4]]), request(data=[[1, 2.5], [3, 4]], id="1"), {**request(), "id": "a", "parameters": {"timing": True}}):
        assert fits(scale, version, "InferRequest", right), right
        assert ask(serve, "/v2/models/scale/infer", json.dumps(right).encode())[0] == 200
    for body in wrong:
        assert not fits(scale, version, "InferRequest", body), body
        assert ask(serve, "/v2/models/scale/infer", json.dumps(body).encode())[0] == 400
    score = document(serve, "/swagger.json?model=scale", version)
    assert fits(score, version, "ServiceInput", {"data": [[1, 2], [3, 4]]}) and fits(score, version, "ServiceOutput", [[2, 4], [6, 8]])
    for body in ({}, {"data": []}, {"data": [[1]]}, {"data": [1, 2]}, {"data": [["a", "b"]]}):
        assert not fits(score, version, "ServiceInput", body), body
        assert ask(serve, "/score?model=scale", json.dumps(body).encode())[0] == 400
    fixed = document(serve, "/v2/models/fixed/openapi.json", version)
    for shape, data, right in (([2, 3], [1, 2, 3, 4, 5, -128], True), ([3, 2], [1, 2, 3, 4, 5, 6], False), ([2, 3], [1, 2, 3, 4, 5, 128], version == "2")):
        body = {"inputs": [{"name": "x", "datatype": "INT8", "shape": shape, "data": data}]}
        assert fits(fixed, version, "InferRequest", body) == right
        assert (ask(serve, "/v2/models/fixed/infer", json.dumps(body).encode())[0] == 200) == (shape == [2, 3] and 128 not in data)
    two = document(serve, "/v2/models/two/openapi.json", version)
    a, b = {"name": "a", "datatype": "FP32", "shape": [1], "data": [0.5]}, {"name": "b", "datatype": "INT64", "shape": [1], "data": [1]}
    for inputs in ([a, b], [b, a]):
        assert fits(two, version, "InferRequest", {"inputs": inputs})
        assert ask(serve, "/v2/models/two/infer", json.dumps({"inputs": inputs}).encode())[0] == 200
    for inputs in ([a], [a, b, b], [a, b | {"name": "c"}]):
        assert not fits(two, version, "InferRequest", {"inputs": inputs})


def test_what_is_not_json_is_described_too(serve, tmp_path):
    for version in FORMS:
        found = document(serve, "/v2/models/Photo-1.2_x/openapi.json", version)
        post = found["paths"]["/v2/models/Photo-1.2_x/infer"]["post"]
        kinds = post["consumes"] if version == "2" else post["requestBody"]["content"]
        assert {"application/json", "application/octet-stream", "image/jpeg", "image/png"} == set(kinds)
    Image.fromarray(numpy.zeros((20, 20, 3), numpy.uint8)).save(tmp_path / "black.png")
    picture = (tmp_path / "black.png").read_bytes()
    assert ask(serve, "/v2/models/Photo-1.2_x/infer", picture, {"Content-Type": "image/png"})[0] == 200
    half = json.dumps({"inputs": [{"name": "x", "datatype": "FP16", "shape": [1, 3], "parameters": {"binary_data_size": 6}}]}).encode()
    assert fits(document(serve, "/v2/models/half/openapi.json", "3.1"), "3.1", "InferRequest", json.loads(half))
    assert ask(serve, "/v2/models/half/infer", half + bytes(6), {"Inference-Header-Content-Length": str(len(half))})[0] == 200


def test_forms_versions_and_names(serve):
    for alias, version in (("2.0", "2"), ("3.0", "3")):
        assert ask(serve, f"/swagger.json?model=odd&version={alias}")[1] == document(serve, "/swagger.json?model=odd", version)
    assert ask(serve, "/swagger.json?model=odd")[1] == document(serve, "/swagger.json?model=odd", "2")
    assert ask(serve, "/v2/models/odd/openapi.json")[1] == document(serve, "/v2/models/odd/openapi.json", "3.1")
    for path in ("/swagger.json?model=odd&", "/v2/models/odd/openapi.json?"):
        for version in ("1", "4", "3.2", "", "x"):
            status, answer, _ = ask(serve, f"{path}version={version}")
            assert status == 404 and "3.1" in answer["error"]
    for path in ("/swagger.json?model=nobody", "/v2/models/nobody/openapi.json", "/v2/models/odd/versions/2/openapi.json"):
        status, answer, _ = ask(serve, path)
        assert status == 404 and answer["error"]
    assert ask(serve, "/v2/models/odd/versions/x/openapi.json")[0] == 400
    status, answer, _ = ask(serve, "/swagger.json")  # as /score: which of them?
    assert status == 400 and "/swagger.json?model=" in answer["error"]
    named = document(serve, "/v2/models/odd/versions/1/openapi.json", "3.1")
    body = example(schemas(named)["InferRequest"])
    assert body["inputs"][0]["name"] == ODD and ask(serve, "/v2/models/odd/versions/1/infer", json.dumps(body).encode())[0] == 200
    assert "/v2/models/odd/versions/1/infer" in named["paths"]
    outputs = schemas(document(serve, "/swagger.json?model=odd", "2"))["ServiceOutput"]
    assert outputs["required"] == [ODD + "1", ODD + "2"] and set(outputs["properties"]) == set(outputs["required"])


def test_the_only_model_needs_no_name_and_tokens_are_said(tmp_path):
    (tmp_path / "keys").write_text(f"press reader {READER}\nops admin {ADMIN}\n")
    serve = Serve(tmp_path, {"tokens": {"keys": "keys"}})
    folder = serve.data / "models/scale/3"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(scale_model(2))
    token = {"Authorization": f"Bearer {READER}"}
    with serve.running():
        for path in ("/swagger.json", "/v2/models/scale/openapi.json", "/swagger.json?version=9"):
            status, answer, headers = ask(serve, path)
            assert status == 401 and headers["WWW-Authenticate"] == "Bearer" and answer["error"]
            assert ask(serve, path, headers={"Authorization": "Bearer wrong-key-0123456789"})[0] == 401
        for version, (_, validator, _) in FORMS.items():
            for path in ("/swagger.json", "/v2/models/scale/openapi.json"):
                status, found, _ = ask(serve, f"{path}?version={version}", headers=token)
                assert status == 200
                validator(found).validate()
                scheme = found["securityDefinitions"]["Bearer"] if version == "2" else found["components"]["securitySchemes"]["Bearer"]
                assert found["security"] == [{"Bearer": []}] and scheme["type"] == ("apiKey" if version == "2" else "http")
                door = "/score" if path == "/swagger.json" else "/v2/models/scale/infer"
                assert "WWW-Authenticate" in found["paths"][door]["post"]["responses"]["401"]["headers"]
                body = json.dumps(example(schemas(found)["ServiceInput" if door == "/score" else "InferRequest"])).encode()
                assert ask(serve, door, body, token)[0] == 200 and ask(serve, door, body)[0] == 401
            score = ask(serve, f"/swagger.json?version={version}", headers=token)[1]
            which = next(parameter for parameter in score["paths"]["/score"]["post"]["parameters"] if parameter["name"] == "model")
            assert not which["required"] and score["info"]["version"] == "3"
            assert score["paths"]["/"]["get"]["security"] == [] and ask(serve, "/")[:2] == (200, b"Healthy")


def test_no_model_is_no_document(tmp_path):
    with Serve(tmp_path).running() as serve:
        status, answer, _ = ask(serve, "/swagger.json")
        assert status == 404 and answer["error"] == "no model is loaded"
