"""Mixed load on blobs by stock clients, with the list of what was acknowledged kept here, outside the hub.

Each blob has one writer. Before a call both outcomes are allowed; an answer leaves one. A call that failed
leaves both, and what the hub then shows first becomes the only one: it may not change again. An answer that comes
when the power is cut already (`dark`) has left no machine: it is none. While syncs fail (`unsure`) what is shown decides
nothing: whether a commit whose sync failed is on the disk is known after a restart.
"""
import base64
import dataclasses
import hashlib
import random
import threading
import time
import uuid

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock

CONTAINER = "load"
BLOBS = 16  # of each writer
LARGE = 300_000  # above what goes into segments


class Dark(AzureError):
    """The power went before the answer came."""


@dataclasses.dataclass(frozen=True)
class State:
    """What a blob is: nothing, or a kind and bytes."""
    kind: str = ""
    digest: str = ""
    size: int = 0

    @staticmethod
    def of(kind: str, content: bytes) -> "State":
        return State(kind, hashlib.sha256(content).hexdigest(), len(content))


ABSENT = State()


@dataclasses.dataclass
class Blob:
    name: str
    allowed: set = dataclasses.field(default_factory=lambda: {ABSENT})
    before: set = dataclasses.field(default_factory=set)  # everything that it ever was
    content: bytes = b""  # of an append blob
    staged: list = dataclasses.field(default_factory=list)  # acknowledged blocks that no list named yet
    snapshots: dict = dataclasses.field(default_factory=dict)  # acknowledged ones: id → state
    answered: float = 0  # when its last change was acknowledged


def judge(blob: Blob, seen: State) -> str:
    """Empty, or what is wrong."""
    if seen in blob.allowed:
        return ""
    age = f"{seen.kind or 'nothing'} for {next(iter(blob.allowed)).kind}, answered {time.monotonic() - blob.answered:.3f} s ago"
    if seen == ABSENT:
        return f"lost: {blob.name} is gone ({age})"
    if blob.allowed == {ABSENT}:
        return f"resurrected: {blob.name} was deleted ({age})"
    if seen in blob.before:
        return f"lost: {blob.name} is what it was before ({age})"
    return f"torn: {blob.name} is what it never was ({seen.size} bytes, {age})"


class Writer(threading.Thread):
    """Writes to its own blobs until told to stop; outlives the hub."""

    def __init__(self, hub, number: int, seed: int, kinds: list[str], dark: threading.Event, unsure: threading.Event):
        super().__init__(daemon=True)
        self.hub, self.random, self.kinds, self.dark, self.unsure = hub, random.Random(seed * 100 + number), kinds, dark, unsure
        self.blobs = [Blob(f"w{number}/b{i:02}") for i in range(BLOBS)]
        self.done: dict[str, int] = {}
        self.problems: list[str] = []
        self.failures = 0
        self.pausing, self.idle, self.ending = threading.Event(), threading.Event(), threading.Event()

    def run(self) -> None:
        container = self.hub.client().get_container_client(CONTAINER)
        while not self.ending.is_set():
            if self.pausing.is_set():
                self.idle.set()
                time.sleep(0.005)
                continue
            self.idle.clear()
            blob = self.random.choice(self.blobs)
            try:
                if len(blob.allowed) > 1:
                    self.look(container, blob)
                else:
                    self.act(container.get_blob_client(blob.name), blob)
            except AzureError:
                self.failures += 1
                time.sleep(0.01)
        self.idle.set()

    def look(self, container, blob: Blob) -> None:
        if self.unsure.is_set():
            time.sleep(0.001)
            return
        seen, content = self.answer(lambda: read(container, blob.name))
        if wrong := judge(blob, seen):
            self.problems.append(wrong)
        blob.allowed = {seen}
        blob.content = content

    def answer(self, call):
        answer = call()
        if self.dark.is_set():
            raise Dark("the power is gone")
        return answer

    def bytes_of(self) -> bytes:
        size = self.random.choice([self.random.randrange(1, 6000), self.random.randrange(1, 6000), self.random.randrange(6000, 60_000),
                                   LARGE + self.random.randrange(1, 100_000) if self.random.random() < 0.2 else 0])
        return self.random.randbytes(size)

    def act(self, client, blob: Blob) -> None:
        (now,) = blob.allowed
        kinds = [kind for kind in self.kinds if possible(kind, now, blob)]
        kind = self.random.choice(kinds)
        getattr(self, kind)(client, blob, now)
        self.done[kind] = self.done.get(kind, 0) + 1

    def change(self, blob: Blob, now: State, then: State, call) -> None:
        """The list is written before the call, and again after its answer."""
        blob.before |= blob.allowed
        blob.allowed = {now, then}
        try:
            self.answer(call)
        except HttpResponseError as error:
            if error.status_code and error.status_code < 500:  # refused: it did not happen
                self.problems.append(f"refused: {blob.name} is not what its list says: {error.status_code} {error.error_code}")
                blob.allowed = {now}
            raise
        blob.allowed, blob.answered = {then}, time.monotonic()

    def put(self, client, blob: Blob, now: State) -> None:
        content = self.bytes_of()
        blob.staged = []
        self.change(blob, now, State.of("BlockBlob", content), lambda: client.upload_blob(content, overwrite=True, length=len(content)))

    def stage(self, client, blob: Blob, now: State) -> None:
        name, content = base64.b64encode(uuid.uuid4().bytes).decode(), self.bytes_of() or b"0"
        self.answer(lambda: client.stage_block(name, content))
        blob.staged.append((name, content))

    def commit(self, client, blob: Blob, now: State) -> None:
        staged, blob.staged = blob.staged, []
        content = b"".join(piece for _, piece in staged)
        self.change(blob, now, State.of("BlockBlob", content), lambda: client.commit_block_list([BlobBlock(block_id=name) for name, _ in staged]))

    def begin(self, client, blob: Blob, now: State) -> None:
        blob.staged, blob.content = [], b""
        self.change(blob, now, State.of("AppendBlob", b""), client.create_append_blob)

    def append(self, client, blob: Blob, now: State) -> None:
        content = self.bytes_of()[:50_000] or b"0"
        whole = blob.content + content
        self.change(blob, now, State.of("AppendBlob", whole), lambda: client.append_block(content, appendpos_condition=now.size))
        blob.content = whole

    def delete(self, client, blob: Blob, now: State) -> None:
        blob.snapshots, blob.staged = {}, []
        self.change(blob, now, ABSENT, lambda: client.delete_blob(delete_snapshots="include" if "snapshot" in self.kinds else None))

    def snapshot(self, client, blob: Blob, now: State) -> None:
        made = self.answer(client.create_snapshot)
        blob.snapshots[made["snapshot"]] = now

    def pause(self) -> None:
        self.pausing.set()

    def resume(self) -> None:
        self.pausing.clear()


def possible(kind: str, now: State, blob: Blob) -> bool:
    return {"append": now.kind == "AppendBlob" and now.size < 400_000, "delete": now != ABSENT, "snapshot": now != ABSENT and len(blob.snapshots) < 3,
            "commit": len(blob.staged) > 1 and now.kind != "AppendBlob", "stage": now.kind != "AppendBlob"}.get(kind, True)


def read(container, name: str, snapshot: str | None = None) -> tuple[State, bytes]:
    try:
        stream = container.get_blob_client(name, snapshot=snapshot).download_blob()
        content = stream.readall()
    except ResourceNotFoundError:
        return ABSENT, b""
    return State.of(str(stream.properties.blob_type.value), content), content


class Load:
    """All writers, and the judgement of what they know."""

    def __init__(self, hub, seed: int, writers: int = 4):
        self.hub, self.dark, self.unsure = hub, threading.Event(), threading.Event()
        container = hub.client().get_container_client(CONTAINER)
        container.create_container()
        kinds = ["put", "put", "stage", "stage", "commit", "commit", "begin", "append", "append", "append", "delete"]
        if serves_snapshots(container):
            kinds.append("snapshot")
        self.kinds = sorted(set(kinds))
        self.writers = [Writer(hub, number, seed, kinds, self.dark, self.unsure) for number in range(writers)]
        for writer in self.writers:
            writer.start()

    def pause(self) -> None:
        """Returns when no call is under way."""
        for writer in self.writers:
            writer.pause()
        for writer in self.writers:
            assert writer.idle.wait(60), "a writer hangs"

    def resume(self) -> None:
        self.dark.clear()
        self.unsure.clear()
        for writer in self.writers:
            writer.idle.clear()
            writer.resume()

    def stop(self) -> None:
        for writer in self.writers:
            writer.ending.set()
        for writer in self.writers:
            writer.join(60)

    def acknowledged(self) -> int:
        return sum(sum(writer.done.values()) for writer in self.writers)

    def judge(self) -> list[str]:
        """Everything that is there against the lists, while nobody writes: reads, the listing, snapshots."""
        container = self.hub.client().get_container_client(CONTAINER)
        listed = {blob.name: blob.size for blob in container.list_blobs()}
        problems = []
        for writer in self.writers:
            problems += writer.problems
            writer.problems = []
            for blob in writer.blobs:
                try:
                    problems += self.judge_one(container, blob, listed)
                except AzureError as error:
                    problems.append(f"lost: {blob.name} cannot be read: {str(error).splitlines()[0]}")
        problems += [f"resurrected: {name} is listed and has no writer" for name in listed]
        return problems

    @staticmethod
    def judge_one(container, blob: Blob, listed: dict[str, int]) -> list[str]:
        size = listed.pop(blob.name, None)
        seen, content = read(container, blob.name)
        problems = [wrong] if (wrong := judge(blob, seen)) else []
        blob.allowed, blob.content = {seen}, content
        if (size is None) != (seen == ABSENT) or (size is not None and size != seen.size):
            problems.append(f"torn: {blob.name} is listed with {size} bytes and read with {seen.size if seen != ABSENT else None}")
        for snapshot, state in blob.snapshots.items():
            if read(container, blob.name, snapshot)[0] != state:
                problems.append(f"lost: the snapshot {snapshot} of {blob.name}")
        return problems


def serves_snapshots(container) -> bool:
    probe = container.get_blob_client("probe")
    probe.upload_blob(b"probe")
    try:
        probe.create_snapshot()
    except HttpResponseError:
        probe.delete_blob()
        return False
    probe.delete_blob(delete_snapshots="include")
    return True
