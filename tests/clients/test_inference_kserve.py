"""KServe's own Python clients, unmodified, over REST and gRPC: health, tensors as JSON and as binary data, errors, tokens and TLS."""
import overlay
import pytest
from serve_support import Serve, digits_model, text_model

KEY = "kserve-key-0123456789"
WANTED_TEXTS = ["a", "日", ""]

SCRIPT = """
import asyncio, json, ssl, sys
import grpc, httpx, numpy
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

http, grpc_address, folder, ca, key = sys.argv[1:]
rows = numpy.load(folder + "/rows.npy")


def request(values, name="pixels", datatype="FP32", model="digits", binary=False, **more):
    made = InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model, [made], **more)


def told(response):
    return {output.name: output.as_numpy().tolist() for output in response.outputs}


async def main():
    out = {}
    scheme, more, headers = ("https", {"verify": ssl.create_default_context(cafile=ca)}, {"Authorization": f"Bearer {key}"}) if ca else ("http", {}, None)
    rest = InferenceRESTClient(RESTConfig(protocol="v2", retries=0, **more))
    base = f"{scheme}://{http}"
    out["live"], out["ready"] = await rest.is_server_live(base), await rest.is_server_ready(base)
    out["model ready"] = await rest.is_model_ready(base, "digits", headers=headers)
    out["rest json"] = told(await rest.infer(base, request(rows, request_id="r-1"), model_name="digits", headers=headers))
    out["rest binary"] = told(await rest.infer(base, request(rows, binary=True), model_name="digits", headers=dict(headers or {})))
    chosen = request(rows, binary=True, request_outputs=[RequestedOutput("label", {"binary_data": True})])
    out["rest binary both ways"] = told(await rest.infer(base, chosen, model_name="digits", headers=dict(headers or {})))
    for what, asked in (("rest wrong shape", request(rows[:, :3])), ("rest no model", request(rows, model="nobody"))):
        try:
            await rest.infer(base, asked, model_name=asked.model_name, headers=headers)
        except httpx.HTTPStatusError as error:
            out[what] = [error.response.status_code, str(error)]
    if ca:
        try:
            await rest.infer(base, request(rows), model_name="digits", headers={"Authorization": "Bearer wrong-0123456789abcdef"})
        except httpx.HTTPStatusError as error:
            out["rest token"] = error.response.status_code
    else:
        texts = numpy.array([b"a", "\\u65e5".encode(), b""], dtype=object)
        out["rest texts"] = told(await rest.infer(base, request(texts, "x", "BYTES", "texts"), model_name="texts"))
    await rest.close()
    metadata = [("authorization", f"Bearer {key}")] if ca else None
    async with InferenceGRPCClient(grpc_address, retries=0, use_ssl=bool(ca), root_certificates=ca or None) as client:
        out["grpc live"], out["grpc ready"] = await client.is_server_live(), await client.is_server_ready()
        out["grpc model ready"] = await client.is_model_ready("digits", headers=metadata)
        out["grpc typed"] = told(await client.infer(request(rows), headers=metadata))
        out["grpc raw"] = told(await client.infer(request(rows, binary=True), headers=metadata))
        for what, asked in (("grpc wrong shape", request(rows[:, :3])), ("grpc no model", request(rows, model="nobody"))):
            try:
                await client.infer(asked, headers=metadata)
            except grpc.RpcError as error:
                out[what] = [error.code().name, error.details()]
        if ca:
            try:
                await client.infer(request(rows))
            except grpc.RpcError as error:
                out["grpc token"] = error.code().name
    print(json.dumps(out))

asyncio.run(main())
"""


def check(out: dict, wanted: dict) -> None:
    for what in ("live", "ready", "model ready", "grpc live", "grpc ready", "grpc model ready"):
        assert out[what] is True, what
    for what in ("rest json", "rest binary", "grpc typed", "grpc raw"):
        assert out[what]["label"] == wanted["label"], what
        for ours, theirs in zip(out[what]["probabilities"], wanted["probabilities"]):
            assert ours == pytest.approx(theirs, abs=1e-6), what
    assert out["rest binary both ways"] == {"label": wanted["label"]}
    assert out["rest wrong shape"][0] == 400 and "the model wants [-1,64]" in out["rest wrong shape"][1]
    assert out["rest no model"][0] == 404 and out["grpc no model"][0] == "NOT_FOUND"
    assert out["grpc wrong shape"][0] == "INVALID_ARGUMENT" and "the model wants [-1,64]" in out["grpc wrong shape"][1]


def start(folder, config: dict | None = None):
    import numpy
    import onnxruntime
    serve = Serve(folder, config)
    model, digits = digits_model(folder)
    for name, bytes_ in (("digits", model), ("texts", text_model())):
        (serve.data / "models" / name / "1").mkdir(parents=True)
        (serve.data / "models" / name / "1/model.onnx").write_bytes(bytes_)
    rows = digits[:7]
    numpy.save(folder / "rows.npy", rows)
    label, probabilities = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(["label", "probabilities"], {"pixels": rows})
    return serve, {"label": label.tolist(), "probabilities": probabilities.tolist()}


def test_both_clients_against_the_plain_doors(tmp_path):
    serve, wanted = start(tmp_path)
    with serve.running() as running:
        out = overlay.run("kserve", SCRIPT, running.address, running.grpc, str(tmp_path), "", "")
    check(out, wanted)
    assert out["rest texts"]["y"] == WANTED_TEXTS


def test_both_clients_with_a_key_over_tls(tmp_path):
    (tmp_path / "keys").write_text(f"kserve reader {KEY}\n")
    serve, wanted = start(tmp_path, {"tls": {}, "tokens": {"keys": "keys"}})
    with serve.running() as running:
        out = overlay.run("kserve", SCRIPT, running.address, running.grpc, str(tmp_path), str(running.data / "pki/ca.crt"), KEY)
    check(out, wanted)
    assert out["rest token"] == 401 and out["grpc token"] == "UNAUTHENTICATED"
