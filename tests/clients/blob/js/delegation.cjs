// @azure/storage-blob, unmodified, over TLS with a token: a user delegation key, and signatures by it. Run by test_delegation.py, with
// the blob's URL, a token and the authorities to trust in the environment.
const assert = require("node:assert/strict");
const storage = require("@azure/storage-blob");

async function main() {
  const credential = { getToken: async () => ({ token: process.env.TOKEN, expiresOnTimestamp: Date.now() + 3600_000 }) };
  const service = new storage.BlobServiceClient(process.env.SERVICE, credential, { retryOptions: { maxTries: 1 } });
  const soon = new Date(Date.now() + 3600_000);
  const key = await service.getUserDelegationKey(new Date(Date.now() - 60_000), soon);
  const container = service.getContainerClient("tests"), blob = container.getBlockBlobClient("b");
  const ofBlob = { permissions: storage.BlobSASPermissions.parse("r"), expiresOn: soon };
  const ofContainer = { permissions: storage.ContainerSASPermissions.parse("rl"), expiresOn: soon };
  const reader = new storage.BlockBlobClient(await blob.generateUserDelegationSasUrl(ofBlob, key));
  assert.equal((await reader.downloadToBuffer()).toString(), "data");
  await assert.rejects(reader.upload("x", 1), { statusCode: 403, code: "AuthorizationPermissionMismatch" });
  const listing = new storage.ContainerClient(await container.generateUserDelegationSasUrl(ofContainer, key));
  const names = [];
  for await (const one of listing.listBlobsFlat()) names.push(one.name);
  assert.deepEqual(names, ["b"]);
  assert.match(await blob.generateUserDelegationSasStringToSign(ofBlob, key), /tests\/b/);
  assert.match(await container.generateUserDelegationSasStringToSign(ofContainer, key), /\/tests\n/);
  key.value = Buffer.alloc(32).toString("base64");
  const wrong = new storage.BlobClient(await blob.generateUserDelegationSasUrl(ofBlob, key));
  await assert.rejects(wrong.download(), { statusCode: 403, code: "AuthenticationFailed" });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
