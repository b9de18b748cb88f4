// @azure/storage-blob, unmodified. Run by tests/clients/blob/test_js.py, which gives the connection string; each test has a
// container of its own.
const test = require("node:test");
const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { Readable } = require("node:stream");
const storage = require("@azure/storage-blob");

const service = storage.BlobServiceClient.fromConnectionString(process.env.CONNECTION, { retryOptions: { maxTries: 1 } });
const MIB = 1 << 20;

async function fresh() {
  const container = service.getContainerClient("c" + crypto.randomBytes(8).toString("hex"));
  await container.create();
  return container;
}

async function all(pages) {
  const out = [];
  for await (const one of pages) out.push(one);
  return out;
}

const refused = (status, code) => (error) => {
  assert.equal(error.statusCode, status, error.message);
  assert.equal(error.code ?? error.details?.errorCode, code);
  return true;
};

test("containers", async () => {
  const container = await fresh();
  assert.equal(await container.exists(), true);
  await container.setMetadata({ site: "north" });
  const properties = await container.getProperties();
  assert.deepEqual(properties.metadata, { site: "north" });
  assert.match(properties.etag, /^"0x[0-9A-F]{15,}"$/);
  const found = await all(service.listContainers({ prefix: container.containerName, includeMetadata: true }));
  assert.deepEqual(found.map((one) => [one.name, one.metadata]), [[container.containerName, { site: "north" }]]);
  await assert.rejects(container.create(), refused(409, "ContainerAlreadyExists"));
  assert.equal((await container.createIfNotExists()).succeeded, false);
  await container.delete();
  assert.equal(await container.exists(), false);
  assert.equal((await container.deleteIfExists()).succeeded, false);
});

test("account and service", async () => {
  assert.equal((await service.getAccountInfo()).accountKind, "StorageV2");
  const container = await fresh();
  assert.equal((await container.getAccountInfo()).accountKind, "StorageV2");
  assert.equal((await container.getBlobClient("none").getAccountInfo()).accountKind, "StorageV2");
  const properties = await service.getProperties();
  await service.setProperties({ ...properties, defaultServiceVersion: "2021-08-06" });
  assert.equal((await service.getProperties()).defaultServiceVersion, "2021-08-06");
});

test("upload and download", async () => {
  const container = await fresh();
  for (const size of [0, 1, 70_000]) {
    const data = crypto.randomBytes(size);
    const blob = container.getBlockBlobClient(`size ${size}`);
    await blob.upload(data, size, { metadata: { a: "1" }, tags: { kind: "raw" }, blobHTTPHeaders: { blobContentType: "text/x-test" } });
    assert.deepEqual(await blob.downloadToBuffer(), data);
    const got = await blob.getProperties();
    assert.equal(got.contentLength, size);
    assert.equal(got.contentType, "text/x-test");
    assert.deepEqual(got.metadata, { a: "1" });
    assert.deepEqual((await blob.getTags()).tags, { kind: "raw" });
    assert.deepEqual(Buffer.from(got.contentMD5), crypto.createHash("md5").update(data).digest());
  }
});

test("parallel blocks and ranges", async () => {
  const container = await fresh();
  const data = crypto.randomBytes(6 * MIB + 17);
  const blob = container.getBlockBlobClient("big");
  await blob.uploadData(data, { blockSize: MIB, maxSingleShotSize: 0, concurrency: 4 });
  assert.ok((await blob.downloadToBuffer(0, undefined, { blockSize: MIB - 1, concurrency: 4 })).equals(data));
  assert.ok((await blob.downloadToBuffer(MIB - 2, 5)).equals(data.subarray(MIB - 2, MIB + 3)));
  await blob.uploadStream(Readable.from([data.subarray(0, 3 * MIB), data.subarray(3 * MIB)]), MIB, 3);
  assert.ok((await blob.downloadToBuffer()).equals(data));
  const part = await blob.download(10, 20, { rangeGetContentMD5: true });
  assert.deepEqual(Buffer.from(part.contentMD5), crypto.createHash("md5").update(data.subarray(10, 30)).digest());
  await assert.rejects(blob.download(data.length, 1), refused(416, "InvalidRange"));
});

test("blocks", async () => {
  const container = await fresh();
  const blob = container.getBlockBlobClient("blocks");
  const ids = ["aaa", "bbb"].map((id) => Buffer.from(id).toString("base64"));
  await blob.stageBlock(ids[0], "one ", 4);
  await blob.stageBlock(ids[1], "two", 3);
  const before = await blob.getBlockList("uncommitted");
  assert.deepEqual(before.uncommittedBlocks.map((one) => [one.name, one.size]), [[ids[0], 4], [ids[1], 3]]);
  await blob.commitBlockList(ids);
  assert.equal((await blob.downloadToBuffer()).toString(), "one two");
  await assert.rejects(blob.commitBlockList(["enp6"]), refused(400, "InvalidBlockList"));
});

test("listing", async () => {
  const container = await fresh();
  const names = ["a/1", "a/2", "a/b/3", "root", "z/9", "ünï 日本 🐙", "a&b<c>\"'"];
  for (const name of names) await container.getBlockBlobClient(name).upload(name, Buffer.byteLength(name), { tags: { k: "v" }, metadata: { m: "x" } });
  const flat = await all(container.listBlobsFlat({ includeMetadata: true, includeTags: true, includeCopy: true, includeUncommitedBlobs: true }));
  assert.deepEqual(flat.map((one) => one.name).sort(), [...names].sort());
  assert.ok(flat.every((one) => one.metadata.m === "x" && one.tags.k === "v" && one.properties.contentLength === Buffer.byteLength(one.name)));
  const items = await all(container.listBlobsByHierarchy("/"));
  assert.deepEqual(items.filter((one) => one.kind === "prefix").map((one) => one.name), ["a/", "z/"]);
  const pages = [];
  for await (const page of container.listBlobsFlat({ prefix: "a/" }).byPage({ maxPageSize: 2 })) pages.push(page.segment.blobItems.length);
  assert.deepEqual(pages, [2, 1]);
});

test("headers, metadata, tags, tiers", async () => {
  const container = await fresh();
  const blob = container.getBlockBlobClient("b");
  await blob.upload("data", 4);
  await blob.setHTTPHeaders({ blobContentType: "image/png", blobCacheControl: "no-cache" });
  await blob.setMetadata({ two: "2" });
  await blob.setTags({ state: "done", n: "1" });
  await blob.setAccessTier("Cool");
  const got = await blob.getProperties();
  assert.deepEqual([got.contentType, got.cacheControl, got.metadata, got.accessTier, got.tagCount], ["image/png", "no-cache", { two: "2" }, "Cool", 2]);
});

test("conditions", async () => {
  const container = await fresh();
  const blob = container.getBlockBlobClient("b");
  const { etag } = await blob.upload("1", 1, { conditions: { ifNoneMatch: "*" } });
  await assert.rejects(blob.upload("2", 1, { conditions: { ifNoneMatch: "*" } }), refused(409, "BlobAlreadyExists"));
  await assert.rejects(blob.upload("2", 1, { conditions: { ifMatch: '"0x1"' } }), refused(412, "ConditionNotMet"));
  await blob.upload("2", 1, { conditions: { ifMatch: etag } });
  await assert.rejects(blob.delete({ conditions: { ifMatch: etag } }), refused(412, "ConditionNotMet"));
  await blob.delete();
  await assert.rejects(blob.download(), refused(404, "BlobNotFound"));
});

test("leases", async () => {
  const container = await fresh();
  const blob = container.getBlockBlobClient("b");
  await blob.upload("1", 1);
  const lease = blob.getBlobLeaseClient();
  await lease.acquireLease(15);
  await assert.rejects(blob.upload("2", 1), refused(412, "LeaseIdMissing"));
  await lease.renewLease();
  await lease.changeLease("c0ffee00-0000-0000-0000-000000000001");
  await blob.upload("2", 1, { conditions: { leaseId: lease.leaseId } });
  await lease.releaseLease();
  const held = container.getBlobLeaseClient();
  await held.acquireLease(-1);
  await assert.rejects(container.delete(), refused(412, "LeaseIdMissing"));
  await held.breakLease(0);
  await container.delete();
});

test("append blobs", async () => {
  const container = await fresh();
  const blob = container.getAppendBlobClient("log");
  await blob.create();
  await blob.appendBlock("one ", 4);
  const done = await blob.appendBlock("two", 3, { conditions: { appendPosition: 4 } });
  assert.deepEqual([done.blobAppendOffset, done.blobCommittedBlockCount], ["4", 2]);
  await assert.rejects(blob.appendBlock("x", 1, { conditions: { appendPosition: 4 } }), refused(412, "AppendPositionConditionNotMet"));
  await blob.seal();
  await assert.rejects(blob.appendBlock("x", 1), refused(409, "BlobIsSealed"));
  assert.equal((await blob.downloadToBuffer()).toString(), "one two");
});

test("copies", async () => {
  const container = await fresh();
  const from = container.getBlockBlobClient("from");
  await from.upload("copied", 6, { metadata: { k: "v" } });
  const to = container.getBlockBlobClient("to");
  const poller = await to.beginCopyFromURL(from.url);
  assert.equal((await poller.pollUntilDone()).copyStatus, "success");
  assert.equal((await to.downloadToBuffer()).toString(), "copied");
  const url = await from.generateSasUrl({ permissions: storage.BlobSASPermissions.parse("r"), expiresOn: new Date(Date.now() + 3600_000) });
  await container.getBlockBlobClient("sync").syncCopyFromURL(url);
  await container.getBlockBlobClient("put").syncUploadFromURL(url);
  const staged = container.getBlockBlobClient("staged");
  await staged.stageBlockFromURL("YWFh", url, 2, 3);
  await staged.commitBlockList(["YWFh"]);
  const log = container.getAppendBlobClient("log");
  await log.create();
  await log.appendBlockFromURL(url, 0, 6);
  const texts = {};
  for (const name of ["sync", "put", "staged", "log"]) texts[name] = (await container.getBlobClient(name).downloadToBuffer()).toString();
  assert.deepEqual(texts, { sync: "copied", put: "copied", staged: "pie", log: "copied" });
  await assert.rejects(to.abortCopyFromURL((await to.getProperties()).copyId), refused(409, "NoPendingCopyOperation"));
});

test("signatures and policies", async () => {
  const container = await fresh();
  await container.getBlockBlobClient("b").upload("data", 4);
  const expiresOn = new Date(Date.now() + 3600_000);
  const url = await container.generateSasUrl({ permissions: storage.ContainerSASPermissions.parse("rl"), expiresOn });
  const reader = new storage.ContainerClient(url);
  assert.deepEqual((await all(reader.listBlobsFlat())).map((one) => one.name), ["b"]);
  await assert.rejects(reader.getBlockBlobClient("b").upload("x", 1), refused(403, "AuthorizationPermissionMismatch"));
  const account = new storage.BlobServiceClient(service.generateAccountSasUrl(expiresOn, storage.AccountSASPermissions.parse("rl"), "sco"));
  assert.ok((await all(account.listContainers({ prefix: container.containerName }))).length === 1);
  await container.setAccessPolicy("blob", [{ id: "reader", accessPolicy: { permissions: "r", startsOn: new Date(Date.now() - 60_000), expiresOn } }]);
  const kept = await container.getAccessPolicy();
  assert.deepEqual([kept.blobPublicAccess, kept.signedIdentifiers[0].id, kept.signedIdentifiers[0].accessPolicy.permissions], ["blob", "reader", "r"]);
  const named = await container.getBlobClient("b").generateSasUrl({ identifier: "reader" });
  assert.equal((await new storage.BlobClient(named).downloadToBuffer()).toString(), "data");
  const anyone = new storage.BlobClient(container.getBlobClient("b").url);
  assert.equal((await anyone.downloadToBuffer()).toString(), "data");
});

test("page blobs", async () => {
  const container = await fresh();
  const disk = container.getPageBlobClient("disk");
  await disk.create(2048);
  await disk.uploadPages(Buffer.alloc(1024, "p"), 0, 1024);
  await disk.clearPages(0, 512);
  const ranges = [];
  for await (const range of disk.listPageRanges(0, 2048)) ranges.push(range);
  assert.deepEqual(ranges.map((one) => [one.start, one.end]), [[512, 1023]]);
  await disk.resize(1024);
  assert.equal((await disk.updateSequenceNumber("update", 7)).blobSequenceNumber, 7);
  const bytes = await disk.downloadToBuffer();
  assert.ok(bytes.equals(Buffer.concat([Buffer.alloc(512), Buffer.alloc(512, "p")])));
});

test("blobs are found by tags", async () => {
  const container = await fresh();
  const kind = "k" + crypto.randomBytes(6).toString("hex");
  for (const n of ["1", "2", "3"]) await container.getBlockBlobClient(n).upload(n, 1, { tags: { kind, n } });
  const query = `kind='${kind}' AND n>'1'`;
  assert.deepEqual((await all(service.findBlobsByTags(query))).map((one) => one.name).sort(), ["2", "3"]);
  assert.deepEqual((await all(container.findBlobsByTags(query))).map((one) => one.name).sort(), ["2", "3"]);
  await assert.rejects(container.getBlobClient("1").download(0, 1, { conditions: { tagConditions: "n='2'" } }), refused(412, "ConditionNotMet"));
});
