"""A collector for the client tests: what comes by OTLP/HTTP is parsed by OpenTelemetry's own messages."""
import base64
import contextlib
import http.server
import json
import ssl
import threading
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def _ids_to_base64(node) -> None:
    """Where OTLP's JSON differs from that of protobuf: ids are hexadecimal."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("traceId", "spanId", "parentSpanId"):
                node[key] = base64.b64encode(bytes.fromhex(value)).decode()
            else:
                assert not (key in ("kind", "code") and isinstance(value, str)), "enums are numbers"
                _ids_to_base64(value)
    elif isinstance(node, list):
        for item in node:
            _ids_to_base64(item)


def parse(body: bytes) -> ExportTraceServiceRequest:
    tree = json.loads(body)
    _ids_to_base64(tree)
    return json_format.ParseDict(tree, ExportTraceServiceRequest())  # an unknown name is an error


def attributes(owner) -> dict:
    return {row.key: getattr(row.value, row.value.WhichOneof("value")) for row in owner.attributes}


class Collector:
    """`status`: what it answers with, 0: nothing, while it holds the connection."""

    def __init__(self, tls: tuple | None = None):
        self.requests, self.headers, self.status, self.asked = [], [], 200, 0
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked += 1
                while collector.status == 0:
                    time.sleep(0.01)
                assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json", self.path
                if collector.status == 200:
                    collector.headers.append(self.headers)
                    collector.requests.append(parse(body))
                self.send_response(collector.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def running(self):
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.status = self.status or 503
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def resources(self) -> list:
        return [rows.resource for request in self.requests for rows in request.resource_spans]

    def spans(self) -> list[Span]:
        return [span for request in list(self.requests) for rows in request.resource_spans for scope in rows.scope_spans for span in scope.spans]

    def wait(self, count: int) -> list[Span]:
        """All spans, once there are `count` requests' worth of them."""
        deadline = time.monotonic() + 30
        while sum(span.kind == Span.SPAN_KIND_SERVER for span in self.spans()) < count:
            assert time.monotonic() < deadline, self.spans()
            time.sleep(0.01)
        return self.spans()
