"""A custom module: each finished file of a share comes out in upper case in a cloud share, and a message goes upstream.

FROM and TO are the folders of the two shares. The module finds its broker by the environment that the edge gives it.
"""
import hashlib
import json
import os
import pathlib
import queue
import signal
import sys
import time

from azure.iot.device import IoTHubModuleClient, Message
from azure.iot.device.exceptions import ClientError

FROM, TO = pathlib.Path(os.environ["FROM"]), pathlib.Path(os.environ["TO"])


def transform(data: bytes) -> bytes:
    return data.upper()


def report(client: IoTHubModuleClient, path: str, data: bytes) -> None:
    """Returns when the broker has the message on disk."""
    digest = hashlib.sha256(data).hexdigest()
    message = Message(json.dumps({"path": path, "size": len(data), "sha256": digest}),
                      message_id=hashlib.sha256(f"{path}\n{digest}".encode()).hexdigest()[:32],  # the same if it is sent again
                      content_encoding="utf-8", content_type="application/json", output_name="results")
    while True:
        try:
            return client.send_message_to_output(message, "results")
        except ClientError as error:
            print(f"not sent yet: {error}", file=sys.stderr)
            time.sleep(1)


def handle(client: IoTHubModuleClient, path: str) -> None:
    """Message first, then the file: where this is cut short, the missing file says that both are to be done again."""
    try:
        data = transform((FROM / path).read_bytes())
    except FileNotFoundError:
        return  # it was taken away
    target = TO / path
    hidden = target.with_name(f".{target.name}.part")  # shares do not see names that begin with a dot
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(hidden, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    report(client, path, data)
    os.replace(hidden, target)


def left_over() -> list[str]:
    """Files whose events an earlier life of this module took and did not finish: the client acknowledges at arrival."""
    paths = (each.relative_to(FROM) for each in sorted(FROM.rglob("*")) if each.is_file())
    return [str(path) for path in paths if not any(part.startswith(".") for part in path.parts) and not (TO / path).exists()]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    events: queue.Queue = queue.Queue()
    client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=2)
    client.on_message_received = events.put
    client.connect()
    for path in left_over():
        handle(client, path)
    while True:
        handle(client, json.loads(events.get().data)["path"])


if __name__ == "__main__":
    main()
