// @azure/storage-blob, unmodified: every public call of its clients, once each. What is served works, what is not is refused by
// the right code; a call that the installed client offers and no test makes fails the last test.
const test = require("node:test");
const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { AsyncLocalStorage } = require("node:async_hooks");
const { Readable } = require("node:stream");
const storage = require("@azure/storage-blob");

// What is called from here is noted; what the client calls of itself is not.
const called = new Set();
const inside = new AsyncLocalStorage();
const kinds = ["BlobServiceClient", "ContainerClient", "BlobClient", "BlockBlobClient", "AppendBlobClient", "PageBlobClient", "BlobLeaseClient", "BlobBatchClient"];
const classes = kinds.map((name) => [name, storage[name]]);
for (const [name, one] of classes) {
  for (const call of Object.getOwnPropertyNames(one.prototype)) {
    const property = Object.getOwnPropertyDescriptor(one.prototype, call);
    if (call === "constructor" || typeof property.value !== "function") continue;
    one.prototype[call] = function (...words) {
      if (!inside.getStore()) called.add(`${name}.${call}`);
      return inside.run(true, () => property.value.apply(this, words));
    };
  }
}

const service = storage.BlobServiceClient.fromConnectionString(process.env.CONNECTION, { retryOptions: { maxTries: 1 } });
const { credential } = service;
const soon = () => new Date(Date.now() + 3600_000);
const text = async (blob) => (await blob.downloadToBuffer()).toString();
const PAGE = Buffer.alloc(512, "p");

async function all(pages) {
  const out = [];
  for await (const one of pages) out.push(one);
  return out;
}

async function refused(promise, status, code) {
  await assert.rejects(promise, (error) => {
    assert.deepEqual([error.statusCode, error.code ?? error.details?.errorCode], [status, code], error.message);
    return true;
  });
}

// A container of its own, and a blob that holds "0123456789".
async function stage() {
  const container = service.getContainerClient("c" + crypto.randomBytes(8).toString("hex"));
  await container.create();
  const { blockBlobClient: blob } = await container.uploadBlockBlob("block", "0123456789", 10, { tags: { of: container.containerName } });
  return { container, blob, url: await blob.generateSasUrl({ permissions: storage.BlobSASPermissions.parse("r"), expiresOn: soon() }) };
}

test("calls of the service", async () => {
  assert.equal((await service.getAccountInfo()).accountKind, "StorageV2");
  const properties = await service.getProperties();
  await service.setProperties({ ...properties, defaultServiceVersion: "2021-08-06" });
  const secondary = new storage.BlobServiceClient(service.url.replace(/\/?$/, "-secondary"), credential);
  assert.equal((await secondary.getStatistics()).geoReplication.status, "live");
  const name = "c" + crypto.randomBytes(8).toString("hex");
  await service.createContainer(name);
  assert.deepEqual((await all(service.listContainers({ prefix: name }))).map((one) => one.name), [name]);
  await service.deleteContainer(name);
  await refused(service.undeleteContainer(name, "01D60F8BB59A4652"), 404, "ContainerNotFound");
  await refused(service.getUserDelegationKey(new Date(), soon()), 403, "AuthorizationPermissionMismatch"); // without a token
  const permissions = storage.AccountSASPermissions.parse("rl");
  const signed = new storage.BlobServiceClient(service.generateAccountSasUrl(soon(), permissions, "sco"));
  assert.ok(await all(signed.listContainers()));
  assert.match(service.generateSasStringToSign(soon(), permissions, "sco"), /\nb\nsco\n/);
});

test("calls of a container", async () => {
  const { container, blob } = await stage();
  const other = service.getContainerClient(container.containerName + "x");
  assert.equal((await other.createIfNotExists()).succeeded, true);
  assert.equal(await other.exists(), true);
  assert.equal((await other.deleteIfExists()).succeeded, true);
  assert.equal((await container.getAccountInfo()).accountKind, "StorageV2");
  await container.setMetadata({ a: "1" });
  assert.deepEqual((await container.getProperties()).metadata, { a: "1" });
  await container.setAccessPolicy("blob");
  assert.equal((await container.getAccessPolicy()).blobPublicAccess, "blob");
  await container.getBlockBlobClient("d/x").upload("x", 1);
  assert.deepEqual((await all(container.listBlobsFlat())).map((one) => one.name), ["block", "d/x"]);
  assert.deepEqual((await all(container.listBlobsByHierarchy("/"))).map((one) => one.name), ["d/", "block"]);
  await container.deleteBlob("d/x");
  const wanted = `of='${container.containerName}'`;
  assert.deepEqual((await all(container.findBlobsByTags(wanted))).map((one) => one.name), ["block"]);
  assert.deepEqual((await all(service.findBlobsByTags(wanted))).map((one) => one.name), ["block"]);
  const options = { permissions: storage.ContainerSASPermissions.parse("rl"), expiresOn: soon() };
  assert.equal(await text(new storage.ContainerClient(await container.generateSasUrl(options)).getBlobClient("block")), "0123456789");
  assert.match(await container.generateSasStringToSign(options), new RegExp(container.containerName));
  const lease = container.getBlobLeaseClient();
  await lease.acquireLease(15);
  await refused(container.delete(), 412, "LeaseIdMissing");
  await lease.releaseLease();
  assert.equal(await blob.exists(), true);
  await container.delete();
});

test("calls of a blob", async () => {
  const { container, blob } = await stage();
  const log = blob.getAppendBlobClient(), disk = blob.getPageBlobClient(), block = blob.getBlockBlobClient();
  assert.deepEqual(new Set([log.url, disk.url, block.url]), new Set([blob.url]));
  assert.equal((await blob.getAccountInfo()).accountKind, "StorageV2");
  assert.equal((await blob.download(2, 3)).contentLength, 3);
  const file = path.join(os.tmpdir(), "blob-" + crypto.randomBytes(8).toString("hex"));
  await blob.downloadToFile(file);
  assert.equal(fs.readFileSync(file).toString(), "0123456789");
  fs.unlinkSync(file);
  await blob.setHTTPHeaders({ blobContentType: "text/x" });
  await blob.setMetadata({ b: "2" });
  await blob.setTags({ t: "1" });
  await blob.setAccessTier("Cool");
  const got = await blob.getProperties();
  assert.deepEqual([got.contentType, got.metadata, got.accessTier, (await blob.getTags()).tags], ["text/x", { b: "2" }, "Cool", { t: "1" }]);
  const lease = blob.getBlobLeaseClient();
  await lease.acquireLease(15);
  await lease.renewLease();
  await lease.changeLease("c0ffee00-0000-0000-0000-000000000001");
  await lease.breakLease(0);
  assert.match(await blob.generateSasStringToSign({ permissions: storage.BlobSASPermissions.parse("r"), expiresOn: soon() }), /block/);
  const { snapshot } = await blob.createSnapshot();
  await block.upload("new", 3);
  for (const taken of [container.getBlobClient("block").withSnapshot(snapshot), block.withSnapshot(snapshot)]) assert.equal(await text(taken), "0123456789");
  await refused(blob.withVersion("2020-01-01T00:00:00.0000000Z").getProperties(), 404, "BlobNotFound");
  await refused(blob.delete(), 409, "SnapshotsPresent");
  assert.equal((await blob.deleteIfExists({ deleteSnapshots: "include" })).succeeded, true);
  assert.equal((await container.getBlobClient("none").deleteIfExists()).succeeded, false);
});

test("copies", async () => {
  const { container, blob, url } = await stage();
  const to = (name) => container.getBlockBlobClient(name);
  await (await to("begun").beginCopyFromURL(blob.url)).pollUntilDone();
  await to("now").syncCopyFromURL(url);
  await to("put").syncUploadFromURL(url);
  for (const name of ["begun", "now", "put"]) assert.equal(await text(to(name)), "0123456789");
  await refused(to("begun").abortCopyFromURL("c0ffee00-0000-0000-0000-000000000001"), 409, "NoPendingCopyOperation");
});

test("what is deleted comes back", async () => {
  const { blob } = await stage();
  const before = await service.getProperties();
  await service.setProperties({ deleteRetentionPolicy: { enabled: true, days: 1 } });
  try {
    await blob.delete();
    assert.equal(await blob.exists(), false);
    await blob.undelete();
    assert.equal(await text(blob), "0123456789");
  } finally {
    await service.setProperties({ deleteRetentionPolicy: before.deleteRetentionPolicy });
  }
});

test("holds and policies", async () => {
  const { blob } = await stage();
  assert.equal((await blob.setLegalHold(true)).legalHold, true);
  await refused(blob.delete(), 409, "BlobImmutableDueToLegalHold");
  assert.equal((await blob.setLegalHold(false)).legalHold, false);
  const policy = await blob.setImmutabilityPolicy({ expiriesOn: soon(), policyMode: "Unlocked" });
  assert.equal(policy.immutabilityPolicyMode, "unlocked");
  await refused(blob.delete(), 409, "BlobImmutableDueToPolicy");
  await blob.deleteImmutabilityPolicy();
  await blob.delete();
});

test("calls of a block blob", async () => {
  const { container, blob, url } = await stage();
  const ids = ["YWFh", "YmJi"];
  await blob.stageBlock(ids[0], "ab", 2);
  await blob.stageBlockFromURL(ids[1], url, 3, 2);
  assert.deepEqual((await blob.getBlockList("uncommitted")).uncommittedBlocks.map((one) => one.size), [2, 2]);
  await blob.commitBlockList(ids);
  assert.equal(await text(blob), "ab34");
  await blob.uploadData(Buffer.from("data"));
  await blob.uploadStream(Readable.from([Buffer.from("stream")]), 4, 2);
  assert.equal(await text(blob), "stream");
  await container.getBlockBlobClient("file").uploadFile(__filename);
  assert.equal(await text(container.getBlobClient("file")), fs.readFileSync(__filename).toString());
  await refused(blob.query("select * from BlobStorage"), 501, "NotImplemented");
});

test("calls of an append blob", async () => {
  const { container, url } = await stage();
  const log = container.getAppendBlobClient("log");
  await log.create();
  assert.equal((await log.createIfNotExists()).succeeded, false);
  await log.appendBlock("ab", 2);
  await log.appendBlockFromURL(url, 0, 3);
  const { snapshot } = await log.createSnapshot();
  assert.equal((await log.seal()).isSealed, true);
  assert.equal(await text(log.withSnapshot(snapshot)), "ab012");
});

test("calls of a page blob", async () => {
  const { container } = await stage();
  const disk = container.getPageBlobClient("disk"), from = container.getBlockBlobClient("from");
  await from.upload(PAGE, 512);
  await disk.create(2048);
  assert.equal((await disk.createIfNotExists(2048)).succeeded, false);
  await disk.uploadPages(PAGE, 0, 512);
  const { snapshot } = await disk.createSnapshot();
  const url = await from.generateSasUrl({ permissions: storage.BlobSASPermissions.parse("r"), expiresOn: soon() });
  await disk.uploadPagesFromURL(url, 0, 1024, 512);
  await disk.clearPages(0, 512);
  const spans = (ranges) => ranges.map((one) => [one.offset ?? one.start, (one.count ?? one.end - one.start) + 1]);
  assert.deepEqual(spans((await disk.getPageRanges(0, 2048)).pageRange), [[1024, 512]]);
  assert.deepEqual((await all(disk.listPageRanges(0, 2048))).map((one) => one.start), [1024]);
  const diff = await disk.getPageRangesDiff(0, 2048, snapshot);
  assert.deepEqual([spans(diff.pageRange), spans(diff.clearRange)], [[[1024, 512]], [[0, 512]]]);
  assert.deepEqual((await all(disk.listPageRangesDiff(0, 2048, snapshot))).map((one) => [one.start, one.isClear]).sort(), [[0, true], [1024, false]]);
  assert.deepEqual(spans((await disk.getPageRangesDiffForManagedDisks(0, 2048, disk.withSnapshot(snapshot).url)).pageRange), [[1024, 512]]);
  await disk.resize(1024);
  assert.equal((await disk.updateSequenceNumber("update", 7)).blobSequenceNumber, 7);
  await refused(container.getPageBlobClient("copy").startCopyIncremental(disk.withSnapshot(snapshot).url), 501, "NotImplemented");
});

test("batches", async () => {
  const { container } = await stage();
  const blobs = [];
  for (const name of ["1", "2", "3"]) blobs.push((await container.uploadBlockBlob(name, name, 1)).blockBlobClient);
  const ofService = service.getBlobBatchClient(), ofContainer = container.getBlobBatchClient();
  const urls = blobs.map((one) => one.url);
  assert.equal((await ofService.setBlobsAccessTier(urls, credential, "Cool")).subResponsesSucceededCount, 3);
  assert.equal((await blobs[0].getProperties()).accessTier, "Cool");
  const batch = ofContainer.createBatch();
  await batch.deleteBlob(urls[0], credential);
  assert.equal((await ofContainer.submitBatch(batch)).subResponsesSucceededCount, 1);
  assert.equal((await ofService.deleteBlobs(urls, credential)).subResponsesSucceededCount, 2);
  assert.deepEqual((await all(container.listBlobsFlat())).map((one) => one.name), ["block"]);
});

test("no call is left out", () => {
  // Of a browser alone, or by a key that needs TLS and a token: delegation.cjs.
  const elsewhere = ["uploadBrowserData", "generateUserDelegationSasUrl", "generateUserDelegationSasStringToSign"];
  const folder = path.dirname(require.resolve("@azure/storage-blob"));
  const types = fs.readdirSync(folder).filter((name) => name.endsWith(".d.ts")).map((name) => fs.readFileSync(path.join(folder, name)).toString()).join("\n");
  const missing = [];
  for (const [name] of classes) {
    const declared = types.match(new RegExp(`export declare class ${name} [^]*?\n}`))[0];
    const offered = new Set([...declared.matchAll(/^    (\w+)\(/gm)].map((found) => found[1]));
    for (const call of offered) {
      if (call === "constructor" || elsewhere.includes(call)) continue;
      // A block blob's download is a blob's: what it inherits is noted as that.
      if (!called.has(`${name}.${call}`)) missing.push(`${name}.${call}`);
    }
  }
  assert.equal(missing.join(" "), "");
});
