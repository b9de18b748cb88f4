"""The sides of the blob bench, each with a way to sign a request: ours, Azurite, MinIO, nginx over plain files."""
import base64
import contextlib
import datetime
import hashlib
import hmac
import os
import pathlib
import re
import resource
import shutil
import socket
import time
import urllib.parse
import zlib
from collections.abc import Iterator

import rigs

CONTAINER = "bench"
VERSION = "2021-12-02"


class Wire:
    """One connection, one request after the other."""

    def __init__(self, address: str):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.answers = self.socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_) -> None:
        self.answers.close()
        self.socket.close()

    def ask(self, head: bytes, body: bytes | memoryview = b"") -> tuple[dict[str, str], bytes]:
        """Headers (lower case) and body of an answer below 300."""
        self.socket.sendall(head)
        self.socket.sendall(body)
        status, headers = self.answers.readline(), {}
        while (line := self.answers.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        answer = self.answers.read(int(headers.get("content-length", 0)))
        while headers.get("transfer-encoding") == "chunked" and (size := int(self.answers.readline() or b"0", 16)):
            answer += self.answers.read(size)
            self.answers.readline()
        if headers.get("transfer-encoding") == "chunked":
            self.answers.readline()
        if not status.split()[1:2] or not status.split()[1].startswith(b"2"):
            raise SystemExit(f"{head[:120]!r}: {status!r} {answer[:300]!r}")
        return headers, answer


class Side:
    """One server. `sign` turns a method and a path below the container into a target with its authorisation in the query."""

    def __init__(self, name: str, address: str, pid: int, syncs: str):
        self.name, self.address, self.pid, self.syncs = name, address, pid, syncs

    def sign(self, method: str, path: str, query: dict[str, str] | None = None) -> str:
        raise NotImplementedError

    def request(self, method: str, path: str, size: int = 0, query: dict[str, str] | None = None) -> bytes:
        head = [f"{method} {self.sign(method, path, query)} HTTP/1.1", f"Host: {self.address}", *self.headers(method)]
        if method != "GET":
            head.append(f"Content-Length: {size}")
        return "\r\n".join(head).encode() + b"\r\n\r\n"

    def headers(self, method: str) -> list[str]:
        return []

    def put_in_parts(self, wire: Wire, name: str, body: memoryview) -> None:
        """As the side's stock client sends what is too large for one request."""
        raise NotImplementedError

    def cpu(self) -> float:
        """Seconds of the server and its children so far."""
        ticks = 0
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                if int(folder.name) == self.pid or int(words[1]) == self.pid:
                    ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")


    def settle(self) -> "Side":
        """Waits until it is at no work of its own: a hub packs the runtime of models' images at its first start."""
        before = self.cpu()
        for _ in range(60):
            time.sleep(0.5)
            now = self.cpu()
            if now - before <= 0.02:
                break
            before = now
        return self


class AzureSide(Side):
    def __init__(self, side: dict, syncs: str):
        parts = urllib.parse.urlsplit(side["endpoint"])
        super().__init__(side["name"], parts.netloc, side["pid"], syncs)
        from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=6)
        self.sas = generate_account_sas(side["account"], side["key"], ResourceTypes(object=True, container=True),
                                        AccountSasPermissions(read=True, write=True, create=True, list=True), until)
        self.path = parts.path
        rigs.create_container(side, CONTAINER)

    def sign(self, method: str, path: str, query: dict[str, str] | None = None) -> str:
        more = "".join(f"{key}={urllib.parse.quote(value, safe='')}&" for key, value in (query or {}).items())
        return f"{self.path}/{CONTAINER}{'/' + path if path else ''}?{more}{self.sas}"

    def headers(self, method: str) -> list[str]:
        return [f"x-ms-version: {VERSION}", *(["x-ms-blob-type: BlockBlob"] if method == "PUT" else [])]

    def put_in_parts(self, wire: Wire, name: str, body: memoryview) -> None:
        """azure-storage-blob: blocks of 4 MiB without a checksum, then their list."""
        ids, size = [], 4 << 20
        for at in range(0, len(body), size):
            part = body[at:at + size]
            ids.append(base64.b64encode(f"{at:032}".encode()).decode())
            wire.ask(self.request("PUT", name, len(part), {"comp": "block", "blockid": ids[-1]}), part)
        text = f"<?xml version='1.0' encoding='utf-8'?><BlockList>{''.join(f'<Latest>{one}</Latest>' for one in ids)}</BlockList>".encode()
        wire.ask(self.request("PUT", name, len(text), {"comp": "blocklist"}), text)


class S3Side(Side):
    """Presigned by Signature Version 4, body unsigned."""
    KEY, SECRET = "benchbench", "benchbenchbench"

    def __init__(self, address: str, pid: int, syncs: str):
        super().__init__("minio", address, pid, syncs)
        self.day = time.strftime("%Y%m%d", time.gmtime())
        self.now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        key = b"AWS4" + self.SECRET.encode()
        for word in (self.day, "us-east-1", "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        self.signing_key = key
        self.sums: dict[tuple[int, int], str] = {}

    def sign(self, method: str, path: str, query: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> str:
        signed = dict(sorted({"host": self.address, **(headers or {})}.items()))
        names, lines = ";".join(signed), "".join(f"{name}:{value}\n" for name, value in signed.items())
        scope = f"{self.day}/us-east-1/s3/aws4_request"
        words = {**(query or {}), "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.KEY}/{scope}", "X-Amz-Date": self.now,
                 "X-Amz-Expires": "40000", "X-Amz-SignedHeaders": names}
        line = "&".join(f"{key}={urllib.parse.quote(value, safe='')}" for key, value in sorted(words.items()))
        target = f"/{CONTAINER}/{path}" if path else f"/{CONTAINER}"
        canonical = f"{method}\n{target}\n{line}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        text = f"AWS4-HMAC-SHA256\n{self.now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        return f"{target}?{line}&X-Amz-Signature={hmac.new(self.signing_key, text.encode(), 'sha256').hexdigest()}"

    def with_headers(self, method: str, path: str, size: int, query: dict[str, str], headers: dict[str, str]) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {self.sign(method, path, query, headers)} HTTP/1.1\r\nHost: {self.address}\r\n{lines}Content-Length: {size}\r\n\r\n".encode()

    def put_in_parts(self, wire: Wire, name: str, body: memoryview) -> None:
        """boto3: a multipart upload of parts of 8 MiB, each with its CRC-32 (here made before: it is the client's)."""
        size, parts = 8 << 20, []
        begun = wire.ask(self.with_headers("POST", name, 0, {"uploads": ""}, {"x-amz-checksum-algorithm": "CRC32"}))[1]
        upload = re.search(rb"<UploadId>([^<]+)</UploadId>", begun).group(1).decode()
        for at in range(0, len(body), size):
            part = body[at:at + size]
            crc = self.sums.setdefault((len(body), at), base64.b64encode(zlib.crc32(part).to_bytes(4, "big")).decode())
            query = {"partNumber": str(len(parts) + 1), "uploadId": upload}
            answer = wire.ask(self.with_headers("PUT", name, len(part), query, {"x-amz-checksum-crc32": crc}), part)[0]
            parts.append(f"<Part><ETag>{answer['etag']}</ETag><ChecksumCRC32>{crc}</ChecksumCRC32><PartNumber>{len(parts) + 1}</PartNumber></Part>")
        text = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{"".join(parts)}</CompleteMultipartUpload>'.encode()
        done = wire.ask(self.with_headers("POST", name, len(text), {"uploadId": upload}, {}), text)[1]
        if b"<Error>" in done:
            raise SystemExit(f"minio: {done[:300]!r}")


class FileSide(Side):
    def sign(self, method: str, path: str, query: dict[str, str] | None = None) -> str:
        return f"/{path}"


@contextlib.contextmanager
def holdfast(folder: pathlib.Path) -> Iterator[Side]:
    with rigs.hub(folder) as side:
        yield AzureSide(side, "bytes fdatasync, database FULL, in groups, before the answer").settle()


@contextlib.contextmanager
def azurite(folder: pathlib.Path) -> Iterator[Side]:
    with rigs.azurite(folder) as side:
        yield AzureSide(side, "nothing synced before the answer")


def accepts(address: str) -> bool:
    host, port = address.split(":")
    with contextlib.suppress(OSError):
        socket.create_connection((host, int(port)), 1).close()
        return True
    return False


@contextlib.contextmanager
def minio(folder: pathlib.Path) -> Iterator[Side]:
    program = rigs.ROOT / ".deps/peers/bin/minio"
    if not program.exists():
        raise SystemExit("MinIO is not installed; run scripts/setup --peers")
    address, console = f"127.0.0.1:{rigs.free_port()}", f"127.0.0.1:{rigs.free_port()}"
    environment = {**os.environ, "MINIO_ROOT_USER": S3Side.KEY, "MINIO_ROOT_PASSWORD": S3Side.SECRET, "MINIO_BROWSER": "off", "MINIO_CI_CD": "1", "MINIO_UPDATE": "off"}
    with rigs.process([program, "server", folder / "minio", "--address", address, "--console-address", console, "--quiet"], folder / "minio.log", env=environment) as child:
        side = S3Side(address, child.pid, "its default: data fdatasync, metadata not in every case")

        def made() -> bool:
            if not accepts(address):
                return False
            try:
                rigs.send_each(address, [side.request("PUT", "")], 1)
            except (SystemExit, OSError, IndexError):  # not ready yet
                return False
            return True
        rigs.wait_for("MinIO's bucket", 60, made)
        yield side.settle()


NGINX = """\
worker_processes auto;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; types {{ }} default_type application/octet-stream;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  open_file_cache max={cached} inactive=60s;
  server {{ listen {address}; root {folder}/files; }}
}}
"""


@contextlib.contextmanager
def nginx(folder: pathlib.Path) -> Iterator[Side]:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not pathlib.Path(program).exists():
        raise SystemExit("nginx is not installed; run scripts/setup --peers")
    home, address = folder / "nginx", f"127.0.0.1:{rigs.free_port()}"
    (home / "files").mkdir(parents=True)
    home.chmod(0o755)
    # Each cached file is a descriptor of the worker; where they are used up it closes its connections.
    cached = min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4)
    (home / "nginx.conf").write_text(NGINX.format(folder=home, address=address, cached=cached) + ("user root;\n" if os.geteuid() == 0 else ""))
    with rigs.process([program, "-c", home / "nginx.conf", "-p", home], folder / "nginx.log") as child:
        rigs.wait_for("nginx ready", 20, lambda: accepts(address))
        side = FileSide("nginx", address, child.pid, "writes nothing")
        side.files = home / "files"
        yield side
