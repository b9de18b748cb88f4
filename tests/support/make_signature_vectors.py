#!/usr/bin/env python3
"""Writes tests/support/signature_vectors.h with the signatures that the unmodified
azure-storage-blob package makes, so that ours can be compared with them.

  .deps/venv/bin/python tests/support/make_signature_vectors.py > tests/support/signature_vectors.h
"""
import base64
import json
from datetime import datetime, timezone
from urllib.parse import quote

import azure.storage.blob as blob
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

ACCOUNT = "site1"
KEY = base64.b64encode(bytes(range(64))).decode()
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"  # the start of FakeClock
START = datetime(2023, 11, 14, 22, 0, tzinfo=timezone.utc)
EXPIRY = datetime(2023, 11, 15, 22, 0, tzinfo=timezone.utc)

NAMES = ["a", "with space", "100%", "a+b", "ä/ö/ü", "日本", "a&b=c?d#e", "x;y,z", "dot.", "~tilde_-",
         "quote'\"", "emoji 🐚", "a//b", "[x]{y}", "back^tick`|"]


def text(value):
    """A C++ string literal of UTF-8 text; what is not ASCII is written byte by byte."""
    out = ""
    for byte in value.encode():
        if byte in b'"\\':
            out += "\\" + chr(byte)
        elif 32 <= byte < 127:
            out += chr(byte)
        else:
            out += f"\\{byte:03o}"
    return f'"{out}"'


def signed(method, path, headers):
    request = HttpRequest(method, "http://127.0.0.1:10000" + path, headers={"x-ms-date": DATE, **headers})
    holder = PipelineRequest(request, PipelineContext(None))
    SharedKeyCredentialPolicy(ACCOUNT, KEY).on_request(holder)
    headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
    lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
    return f"    {{{text(method)}, {text(path)},\n     {text(lines)},\n     {text(request.headers['Authorization'])}}},"


def shared_key():
    version = {"x-ms-version": "2026-02-06"}
    for name in NAMES:
        yield signed("PUT", f"/{ACCOUNT}/c/" + quote(name, safe="/~"),
                     {**version, "Content-Length": "5", "x-ms-blob-type": "BlockBlob"})
    yield signed("GET", f"/{ACCOUNT}/c?restype=container&comp=list&prefix=a%20b%2B%25&include=metadata%2Ctags", version)
    yield signed("GET", f"/{ACCOUNT}/?comp=list&marker=%2Fx%3D%3D", version)
    yield signed("PUT", f"/{ACCOUNT}/c/b?comp=block&blockid=QUJD%2F%2B%3D%3D", {**version, "Content-Length": "0"})
    yield signed("GET", f"/{ACCOUNT}/c/b", {**version, "x-ms-range": "bytes=0-9", "If-Match": '"0x1"',
                                            "If-None-Match": '"0x2"'})
    yield signed("GET", f"/{ACCOUNT}/c/b", {**version, "If-Modified-Since": DATE, "If-Unmodified-Since": DATE})
    yield signed("PUT", f"/{ACCOUNT}/c/b", {**version, "Content-Type": "text/plain", "Content-Encoding": "gzip",
                                            "Content-Language": "de", "Content-MD5": "CY9rzUYh03PK3k6DJie09g==",
                                            "Content-Length": "4"})
    # Names that sort differently by bytes and by the service's own order.
    for names in (["a-b", "aa", "ab"], ["a_b", "a-b", "ab", "a0"], ["x-1", "x1", "x_1"], ["b", "b-", "b--a", "b-a", "ba"]):
        yield signed("PUT", f"/{ACCOUNT}/c/b", {**version, "Content-Length": "0",
                                                **{f"x-ms-meta-{name}": f"of {name}" for name in names}})


def sas():
    grant = {"account_name": ACCOUNT, "account_key": KEY, "expiry": EXPIRY}

    def row(kind, container, name, query):
        return f"    {{{text(kind)}, {text(container)}, {text(name)},\n     {text(query)}}},"
    for name in NAMES:
        yield row("b", "c", name, blob.generate_blob_sas(container_name="c", blob_name=name, permission="r", **grant))
    yield row("b", "c", "x", blob.generate_blob_sas(
        container_name="c", blob_name="x", permission="rcw", start=START, ip="127.0.0.1-127.0.0.9",
        protocol="https,http", cache_control="no-cache", content_disposition="attachment; filename=\"ä b.bin\"",
        content_encoding="gzip", content_language="de", content_type="text/plain; charset=utf-8", **grant))
    yield row("c", "c", "", blob.generate_container_sas(container_name="c", permission="rl", start=START, **grant))
    yield row("a", "", "", blob.generate_account_sas(resource_types="sco", permission="rwdlac", services="b",
                                                     start=START, ip="127.0.0.1", protocol="https,http", **grant))
    yield row("a", "", "", blob.generate_account_sas(resource_types="o", permission="r", **grant))


def main():
    print("// Made by make_signature_vectors.py with azure-storage-blob", blob.__version__ + "; not written by hand.")
    print("// clang-format off\n#pragma once\n\nnamespace holdfast::vectors {\n")
    print(f"inline constexpr const char* kKey = {json.dumps(KEY)};  // of the account \"{ACCOUNT}\"\n")
    print("struct Signed { const char *method, *target, *headers, *authorization; };")
    print("inline constexpr Signed kSigned[] = {", *shared_key(), "};\n", sep="\n")
    print("struct Sas { const char *kind, *container, *blob, *query; };  // kind: b, c, a(ccount)")
    print("inline constexpr Sas kSas[] = {", *sas(), "};\n", sep="\n")
    print("}  // namespace holdfast::vectors\n// clang-format on")


main()
