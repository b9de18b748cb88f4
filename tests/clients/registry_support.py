"""What the registry's tests need: images written by this file alone, the hub's HTTP, podman in a corner of its own."""
import gzip
import hashlib
import http.client
import io
import json
import os
import pathlib
import subprocess
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


class Image:
    """One image in memory: its blobs by digest, and its manifest."""

    def __init__(self, layers: list[bytes], command: list[str] | None = None):
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": command or ["/none"]},
                             "rootfs": {"type": "layers", "diff_ids": [sha256(gzip.decompress(one)) for one in layers]}}).encode()
        self.blobs = {sha256(data): data for data in [*layers, config]}
        described = [{"mediaType": LAYER, "digest": sha256(one), "size": len(one)} for one in layers]
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": described,
                                    "config": {"mediaType": CONFIG, "digest": sha256(config), "size": len(config)}}).encode()
        self.digest = sha256(self.manifest)

    def write(self, folder: pathlib.Path, tag: str) -> str:
        """As an OCI layout; returns skopeo's name of it."""
        blobs = folder / "blobs/sha256"
        blobs.mkdir(parents=True)
        for digest, data in [*self.blobs.items(), (self.digest, self.manifest)]:
            (blobs / digest.split(":")[1]).write_bytes(data)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        entry = {"mediaType": MANIFEST, "digest": self.digest, "size": len(self.manifest),
                 "annotations": {"org.opencontainers.image.ref.name": tag}}
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        return f"oci:{folder}:{tag}"


class Http:
    """The hub's HTTP with its first token; no retries."""

    def __init__(self, address: str, token: str):
        self.address, self.token = address, token

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict | None = None):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body or None, {"Authorization": f"Bearer {self.token}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def push(self, repository: str, image: Image, tag: str) -> None:
        for digest, data in image.blobs.items():
            status, headers, body = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
            assert status == 202, body
            status, _, body = self.ask("PUT", f"{headers['Location']}?digest={digest}", data)
            assert status == 201, body
        status, _, body = self.ask("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, {"Content-Type": MANIFEST})
        assert status == 201, body


class Podman:
    """The unmodified podman with storage and configuration of its own; runc and cgroupfs run everywhere."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True)
        (folder / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            '[network]\nnetwork_backend = "netavark"\n')
        (folder / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n')
        self.environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf"),
                            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf")}

    def __call__(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(["podman", *words], env=self.environment, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"podman {words[0]}: {done.stderr}"
        return done.stdout.strip()

    def close(self) -> None:
        self("rm", "--force", "--all", check=False)
        self("system", "reset", "--force", check=False)
