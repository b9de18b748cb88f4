"""Events of the blob store at a webhook, read as Event Grid's own client reads them."""
import http.server
import json
import threading
import time

import pytest
from azure.eventgrid import EventGridEvent
from azure.storage.blob import StandardBlobTier

from conftest import Hub

NAMES = {"topic", "subject", "eventType", "eventTime", "id", "data", "dataVersion", "metadataVersion"}
DATA = {"api", "clientRequestId", "requestId", "eTag", "contentType", "contentLength", "blobType", "url", "sequencer", "storageDiagnostics"}


class Hook:
    """A webhook on a port of its own; `status` is what it answers."""

    def __init__(self):
        self.status, self.agrees, self.questions = 200, True, []
        self.told, self.heads, self.refused = [], [], []
        self.changed = threading.Condition()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = b""
                with hook.changed:
                    status = hook.status
                    if self.headers["aeg-event-type"] == "SubscriptionValidation":
                        hook.questions.append(body[0])
                        if hook.agrees:
                            answer = json.dumps({"validationResponse": body[0]["data"]["validationCode"]}).encode()
                    else:
                        (hook.told if status == 200 else hook.refused).extend(body)
                        hook.heads.append(dict(self.headers))
                    hook.changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, enough, seconds=20):
        with self.changed:
            assert self.changed.wait_for(enough, seconds), (self.told, self.refused, self.questions)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.close()


@pytest.fixture
def listening(hook, tmp_path):
    hubs = []

    def start(more: str = "") -> Hub:
        config = tmp_path / "hub.yaml"
        config.write_text(f"events:\n  subscriptions:\n    to-test:\n      url: {hook.url}\n{more}")
        hubs.append(Hub(tmp_path, config).start())
        return hubs[-1]

    yield start
    for hub in hubs:
        if hub.process.poll() is None:
            assert hub.stop() == 0, (hub.folder / "hub.log").read_text()


def test_created_tier_and_deleted(hook, listening):
    account = listening().create_account()
    with account.client() as service:
        container = service.create_container("tests")
        name = "folder/ä b?.txt"
        answers = []
        container.upload_blob(name, b"hello", content_settings=None, raw_response_hook=answers.append)
        blob = container.get_blob_client(name)
        etag = blob.get_blob_properties().etag.strip('"')
        blob.set_standard_blob_tier(StandardBlobTier.COOL)
        blob.stage_block("AAAA", b"more")
        blob.commit_block_list(["AAAA"])
        container.get_blob_client("copy").upload_blob_from_url(blob.url)
        blob.delete_blob()
        hook.wait(lambda: len(hook.told) >= 5)
    assert [(e["eventType"].removeprefix("Microsoft.Storage."), e["data"]["api"]) for e in hook.told] == [
        ("BlobCreated", "PutBlob"), ("BlobTierChanged", "SetBlobTier"), ("BlobCreated", "PutBlockList"),
        ("BlobCreated", "CopyBlob"), ("BlobDeleted", "DeleteBlob")]
    for told in hook.told:
        assert set(told) == NAMES and DATA <= set(told["data"])
        event = EventGridEvent.from_dict(told)  # the field names are the client's own
        assert event.id == told["id"] and event.event_time.tzinfo is not None
        assert event.topic.endswith(f"/providers/Microsoft.Storage/storageAccounts/{account.name}")
    first = hook.told[0]
    assert first["subject"] == f"/blobServices/default/containers/tests/blobs/{name}"
    data = first["data"]
    assert data["url"] == blob.url and data["contentLength"] == 5 and data["blobType"] == "BlockBlob"
    assert data["eTag"] == etag and data["contentType"] == "application/octet-stream"
    answer = answers[-1].http_response.headers
    assert data["requestId"] == answer["x-ms-request-id"] and data["clientRequestId"] == answer["x-ms-client-request-id"]
    assert hook.told[1]["data"]["accessTier"] == "Cool" and hook.told[1]["data"]["previousTier"] == "Hot"
    sequence = [e["data"]["sequencer"] for e in hook.told]
    assert sequence == sorted(sequence) and len(set(sequence)) == 5
    assert hook.heads[0]["aeg-event-type"] == "Notification" and hook.heads[0]["aeg-subscription-name"] == "TO-TEST"
    assert len(hook.questions) == 1 and hook.questions[0]["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"


def test_only_what_was_asked_for(hook, listening):
    account = listening("      types: [Microsoft.Storage.BlobCreated]\n"
                        "      subject-begins-with: /blobServices/default/containers/inbox/\n"
                        "      subject-ends-with: .csv\n").create_account()
    with account.client() as service:
        inbox, other = service.create_container("inbox"), service.create_container("other")
        other.upload_blob("a.csv", b"1")
        inbox.upload_blob("a.txt", b"1")
        inbox.upload_blob("a.csv", b"1")
        inbox.delete_blob("a.csv")
        inbox.upload_blob("last.csv", b"1")
    hook.wait(lambda: len(hook.told) >= 2)
    assert [e["subject"].rpartition("/")[2] for e in hook.told] == ["a.csv", "last.csv"]


def test_what_is_refused_comes_again_with_its_id_and_over_a_kill(hook, listening):
    hub = listening()
    account = hub.create_account()
    hook.wait(lambda: hook.questions)
    with account.client() as service:
        container = service.create_container("tests")
        with hook.changed:
            hook.status = 503
        for number in range(20):
            container.upload_blob(f"b{number}", b"x")
        hook.wait(lambda: hook.refused)
    hub.kill()
    with hook.changed:
        hook.status = 200
    hub.start()
    hook.wait(lambda: len({e["id"] for e in hook.told}) == 20, 30)
    assert {e["id"] for e in hook.refused} <= {e["id"] for e in hook.told}
    assert len(hook.questions) == 1  # it has agreed before
    assert {e["subject"].rpartition("/")[2] for e in hook.told} == {f"b{number}" for number in range(20)}


def test_dead_letters_are_blobs(hook, listening):
    hub = listening("      dead-letter: ACCOUNT/dead\n".replace("ACCOUNT", "deadletters"))
    status, _ = hub.api("POST", "/api/v1/storage/accounts", {"name": "deadletters"})
    assert status == 201
    _, keys = hub.api("GET", "/api/v1/storage/accounts/deadletters/keys")
    from azure.storage.blob import BlobServiceClient
    with BlobServiceClient(f"{hub.blob_url}/deadletters", credential=keys["keys"][0]["value"]) as service:
        dead = service.create_container("dead")
        hook.wait(lambda: hook.questions)
        with hook.changed:
            hook.status = 400  # not to be repeated
        service.create_container("tests").upload_blob("b", b"x")
        deadline = time.monotonic() + 20
        while not (names := [blob.name for blob in dead.list_blobs()]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(names) == 1 and names[0].startswith("TO-TEST/")
        letter = json.loads(dead.download_blob(names[0]).readall())[0]
    assert letter["deadLetterReason"] and letter["lastDeliveryOutcome"] == "BadRequest" and letter["deliveryAttempts"] == 1
    assert letter["id"] == hook.refused[0]["id"] and len(hook.refused) == 1  # of the letter itself nothing is told


@pytest.mark.parametrize("wrong, told", [("      typos: [x]\n", "typos"), ("      types: [BlobCreated]\n", "is no type of event"),
                                         ("      events-per-delivery: 0\n", "events-per-delivery")])
def test_a_wrong_configuration_is_refused(hook, tmp_path, wrong, told):
    import subprocess
    from conftest import BIN
    config = tmp_path / "hub.yaml"
    config.write_text(f"events:\n  subscriptions:\n    to-test:\n      url: {hook.url}\n{wrong}")
    done = subprocess.run([BIN / "holdfast-hub", "--check", "--config", config, "--data", tmp_path / "d"], capture_output=True, text=True)
    assert done.returncode == 2 and told in done.stderr, done.stderr
