"""Asks a holdfast-serve on this machine over its local door; needs nothing but Python's own library. Tensors lie in memory that both share."""
import array
import fcntl
import json
import mmap
import os
import socket

F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE = 1, 2, 4, 8
MESSAGE = 64 << 10  # bytes, each way


class LocalError(Exception):
    """What the server refused, and its word for that."""

    def __init__(self, message: str, code: str):
        super().__init__(message)
        self.code = code


class LocalClient:
    def __init__(self, path: str):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)

    def __enter__(self) -> "LocalClient":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def ask(self, message: dict, *descriptors: int) -> dict:
        """One message and its answer."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self.socket.sendmsg([json.dumps(message).encode()], rights)
        text = self.socket.recv(MESSAGE)
        if not text:
            raise ConnectionResetError("the server has closed the connection")
        answer = json.loads(text)
        if "error" in answer:
            raise LocalError(answer["error"], answer["code"])
        return answer

    def _register(self, name: str, descriptor: int, size: int) -> None:
        self.ask({"register": name, "byte_size": size}, descriptor)

    def share(self, name: str, size: int) -> mmap.mmap:
        """Memory that both may write: for outputs, and for inputs that change from call to call."""
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, size)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
            memory = mmap.mmap(descriptor, size)
            self._register(name, descriptor, size)
            return memory
        finally:
            os.close(descriptor)

    def share_constant(self, name: str, data: bytes) -> None:
        """What nobody can change any more: the server uses it where it lies."""
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left):]
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)
            self._register(name, descriptor, len(data))
        finally:
            os.close(descriptor)

    def forget(self, name: str) -> None:
        self.ask({"unregister": name})

    def infer(self, model: str, inputs: list[dict], outputs: list[dict] | None = None, **more) -> dict:
        """An infer request of the Open Inference Protocol; placed() says where a tensor lies."""
        request = {"model_name": model, "inputs": inputs, **more}
        return self.ask(request | {"outputs": outputs} if outputs else request)


def placed(region: str, size: int, offset: int = 0) -> dict:
    """The `parameters` of a tensor that lies in a region."""
    return {"shared_memory_region": region, "shared_memory_offset": offset, "shared_memory_byte_size": size}
