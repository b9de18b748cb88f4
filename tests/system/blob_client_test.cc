// The blob client against the blob service itself, over a socket.
#include "blob_client/blob_client.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "identity/sas.h"
#include "support/blob_service.h"

namespace holdfast::blob_client {
namespace {

struct BlobClientTest : BlobServiceTest {
  // Runs `body` with a client of its own: pooled connections belong to one task's context.
  template <class F>
  void with_client(F body) {
    const auto run = [](BlobClientTest& self, F& work) -> Task<void> {
      http::Client http;
      auto client = BlobClient::open(http, self.clock, self.endpoint);
      EXPECT_TRUE(client);
      co_await work(*client);
    };
    run_task(run(*this, body));
  }
};

Task<Result<std::string>> text(BlobClient& client, std::string blob, ByteRange range) {
  CO_TRY(auto response, co_await client.get("cam", std::move(blob), range));
  co_return co_await read_all(*response.body, 1 << 20);
}

TEST_F(BlobClientTest, WritesReadsListsAndDeletes) {
  with_client([](BlobClient& client) -> Task<void> {
    const auto made = co_await client.create_container("cam");
    EXPECT_TRUE(made && *made) << made.error().message();
    if (!made) co_return;
    const auto again = co_await client.create_container("cam");
    EXPECT_TRUE(again && !*again);
    const std::vector<std::string> names = {"a b/100%", "a+b", "d/ö/日本", "d/x&y=?#"};
    BlobHeaders headers;
    headers.content_type = "text/plain";
    headers.content_md5 = base64(as_bytes(hash(HashKind::md5, as_bytes("hello"))));
    headers.metadata = {{"a_b", "1"}, {"aa", "2"}};
    headers.if_none_match = "*";
    for (const std::string& name : names) {
      const auto written = co_await client.put_blob("cam", name, "hello", headers);
      EXPECT_TRUE(written) << name << written.error().message();
      const auto found = co_await client.properties("cam", name);
      EXPECT_TRUE(found) << name;
      if (!written || !found) continue;
      EXPECT_EQ(found->etag, written->etag);
      EXPECT_EQ(found->size, 5u);
      EXPECT_EQ(found->content_type, "text/plain");
      EXPECT_EQ(found->content_md5, headers.content_md5);
      EXPECT_EQ(found->metadata.size(), 2u);
      EXPECT_EQ((co_await text(client, name, {})).value_or("unread"), "hello");
      ByteRange middle;
      middle.offset = 1;
      middle.size = 3;
      EXPECT_EQ((co_await text(client, name, middle)).value_or("unread"), "ell");
    }
    const auto twice = co_await client.put_blob("cam", "a+b", "hello", headers);
    EXPECT_EQ(twice.error().reason(), "blob_exists");
    ListOptions options;
    options.max = 3;
    const auto first = co_await client.list_blobs("cam", options);
    EXPECT_TRUE(first && first->blobs.size() == 3 && !first->next_marker.empty());
    options.marker = first->next_marker;
    const auto second = co_await client.list_blobs("cam", options);
    EXPECT_TRUE(second && second->blobs.size() == 1 && second->next_marker.empty());
    ListOptions folders;
    folders.delimiter = "/";
    const auto top = co_await client.list_blobs("cam", folders);
    EXPECT_EQ(top->prefixes, (std::vector<std::string>{"a b/", "d/"}));
    EXPECT_EQ(top->blobs.at(0).name, "a+b");
    EXPECT_TRUE(co_await client.delete_blob("cam", names[0]));
    EXPECT_EQ((co_await client.properties("cam", names[0])).error().code(), Code::not_found);
    const auto containers = co_await client.list_containers("", "");
    EXPECT_EQ(containers->containers.at(0).name, "cam");
    EXPECT_TRUE(co_await client.delete_container("cam"));
    const auto gone = co_await client.list_blobs("cam", folders);
    EXPECT_EQ(gone.error().code(), Code::not_found);
  });
}

TEST_F(BlobClientTest, CommitsBlocksFromAFile) {
  with_client([](BlobClient& client) -> Task<void> {
    (void)co_await client.create_container("cam");
    char name[] = "/tmp/blob_client_file.XXXXXX";
    http::FileRange range;
    range.fd = std::make_shared<Fd>(::mkstemp(name));
    std::filesystem::remove(name);
    EXPECT_TRUE(write_all(range.fd->get(), as_bytes("0123456789")));
    const std::vector<std::string> ids = {base64(as_bytes("01")), base64(as_bytes("02"))};
    for (size_t i = 0; i < 2; ++i) {
      range.offset = i * 5;
      range.size = 5;
      const auto put = co_await client.put_block("cam", "b", ids[i], range);
      EXPECT_TRUE(put) << put.error().message();
    }
    const auto open = co_await client.get_block_list("cam", "b", Blocks::uncommitted);
    EXPECT_TRUE(open && open->uncommitted.size() == 2 && open->uncommitted[0].size == 5);
    const auto wrong =
        co_await client.put_block("cam", "b", ids[0], "x", "AAAAAAAAAAAAAAAAAAAAAA==");
    EXPECT_EQ(wrong.error().reason(), "md5_mismatch");
    const BlobHeaders plain;
    EXPECT_TRUE(co_await client.put_block_list("cam", "b", ids, plain));
    EXPECT_EQ((co_await text(client, "b", {})).value_or("unread"), "0123456789");
    const std::vector<std::string> unknown = {base64(as_bytes("99"))};
    const auto bad = co_await client.put_block_list("cam", "b", unknown, plain);
    EXPECT_EQ(bad.error().reason(), "invalid_block_list");
    const auto no_id = co_await client.put_block("cam", "b", "<no base64>", "x");
    EXPECT_EQ(no_id.error().code(), Code::invalid_argument);
  });
}

TEST_F(BlobClientTest, CarriesASignatureInPlaceOfAKey) {
  identity::SasRequest request;
  request.permissions = "rl";
  request.expiry = clock.now() + std::chrono::hours(1);
  const auto key = from_base64(endpoint.key);
  endpoint.key.clear();
  endpoint.sas = identity::make_sas("site1", *key, request);
  with_client([](BlobClient& client) -> Task<void> {
    EXPECT_TRUE(co_await client.list_containers("", ""));
    const auto refused = co_await client.create_container("cam");
    EXPECT_EQ(refused.error().code(), Code::denied);
  });
}

TEST_F(BlobClientTest, TellsAWrongKey) {
  endpoint.key = base64(as_bytes("wrong"));
  with_client([](BlobClient& client) -> Task<void> {
    const auto refused = co_await client.create_container("cam");
    EXPECT_EQ(refused.error().reason(), "authentication_failed");
    EXPECT_TRUE(refused.error().message().starts_with("AuthenticationFailed: "));
  });
}

}  // namespace
}  // namespace holdfast::blob_client
