// Transfers against the blob service itself, over a socket.
#include <gtest/gtest.h>

#include <fstream>

#include "base/digest.h"
#include "support/blob_service.h"
#include "transfer/download.h"
#include "transfer/part_file.h"
#include "transfer/sides.h"
#include "transfer/upload.h"

namespace holdfast::transfer {
namespace {

namespace fs = std::filesystem;
using blob_client::BlobClient;

struct TransferTest : BlobServiceTest {
  std::string file(const std::string& name, const std::string& text) const {
    const fs::path path = fs::path(folder) / "files" / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  // Runs `body` with a client and the container "con": pooled connections belong to one task.
  template <class F>
  void with_client(F body) {
    const auto run = [](TransferTest& self, F& work) -> Task<void> {
      http::Client http;
      auto client = BlobClient::open(http, self.clock, self.endpoint);
      EXPECT_TRUE(client);
      EXPECT_TRUE(co_await client->create_container("con"));
      co_await work(self, *client);
    };
    run_task(run(*this, body));
  }
};

UploadOptions small_pieces() {
  UploadOptions options;
  options.piece = 1000;
  return options;
}

Task<std::string> content(BlobClient& client, std::string blob) {
  auto response = co_await client.get("con", std::move(blob), {});
  EXPECT_TRUE(response) << response.error().message();
  if (!response) co_return "";
  co_return (co_await read_all(*response->body, 1 << 24)).value_or("cut");
}

std::string md5(std::string_view text) {
  return base64(as_bytes(hash(HashKind::md5, as_bytes(text))));
}

TEST_F(TransferTest, UploadsUseWhatAnEarlierRunBrought) {
  with_client([](TransferTest& test, BlobClient& client) -> Task<void> {
    const std::string data = random_bytes(10'500), path = test.file("f", data);
    // Two blocks are there, one of them of another content at that place.
    for (const auto& [at, text] :
         {std::pair(2u, data.substr(2000, 1000)), std::pair(3u, data.substr(0, 1000))}) {
      const std::string id = block_id(at, hash(HashKind::md5, as_bytes(text)));
      EXPECT_TRUE(co_await client.put_block("con", "f", id, text));
    }
    uint64_t moved = 0;
    UploadOptions options = small_pieces();
    options.moved = [&moved](uint64_t bytes) { moved += bytes; };
    const auto done = co_await upload_file(client, "con", "f", path, std::move(options));
    EXPECT_TRUE(done) << done.error().message();
    if (!done) co_return;
    EXPECT_EQ(done->resumed, 1000u);
    EXPECT_EQ(done->size, 10'500u);
    EXPECT_EQ(moved, 10'500u);
    EXPECT_EQ(done->md5, md5(data));
    EXPECT_EQ(co_await content(client, "f"), data);
    EXPECT_EQ((co_await client.properties("con", "f"))->content_md5, md5(data));
  });
}

TEST_F(TransferTest, AFileThatChangesIsNotCommitted) {
  with_client([](TransferTest& test, BlobClient& client) -> Task<void> {
    const std::string path = test.file("f", random_bytes(20'000));
    UploadOptions options = small_pieces();
    options.parallel = 1;
    bool touched = false;
    options.moved = [&](uint64_t) {
      if (!std::exchange(touched, true)) std::ofstream(path, std::ios::app) << "more";
    };
    const auto done = co_await upload_file(client, "con", "f", path, std::move(options));
    EXPECT_EQ(done.error().reason(), "changed");
    EXPECT_EQ((co_await client.properties("con", "f")).error().code(), Code::not_found);
  });
}

TEST_F(TransferTest, EmptyAndSmallFilesAndTheirErrors) {
  with_client([](TransferTest& test, BlobClient& client) -> Task<void> {
    const std::string none = test.file("none", ""), small = test.file("small", "abc");
    EXPECT_EQ((co_await upload_file(client, "con", "none", none, small_pieces()))->size, 0u);
    EXPECT_EQ((co_await upload_file(client, "con", "small", small, small_pieces()))->md5,
              md5("abc"));
    EXPECT_EQ(co_await content(client, "small"), "abc");
    UploadOptions once = small_pieces();
    once.headers.if_none_match = "*";
    EXPECT_EQ((co_await upload_file(client, "con", "small", small, once)).error().reason(),
              "blob_exists");
    EXPECT_EQ(
        (co_await upload_file(client, "con", "x", test.folder, small_pieces())).error().code(),
        Code::invalid_argument);
    EXPECT_EQ((co_await upload_file(client, "con", "x", test.folder + "/gone", small_pieces()))
                  .error()
                  .code(),
              Code::not_found);
    for (const char* name : {"none", "small"}) {
      const fs::path target = fs::path(test.folder) / name;
      EXPECT_TRUE(co_await download_blob(client, "con", name, target, {}));
      EXPECT_EQ(fs::file_size(target), std::string_view(name) == "none" ? 0u : 3u);
    }
  });
}

TEST_F(TransferTest, DownloadsGoOnAndCheckWhatCame) {
  with_client([](TransferTest& test, BlobClient& client) -> Task<void> {
    const std::string data = random_bytes(10'500), path = test.file("f", data);
    const fs::path target = fs::path(test.folder) / "target";
    const auto sent = co_await upload_file(client, "con", "f", path, small_pieces());
    EXPECT_TRUE(sent);
    DownloadOptions options;
    options.piece = 1000;
    {
      auto part = PartFile::open(target, sent->written.etag, data.size(), options.piece);
      EXPECT_TRUE(part->write(as_bytes(data.substr(3000, 1000)), 3000));
      EXPECT_TRUE(part->finish_piece(3));
    }
    const auto done = co_await download_blob(client, "con", "f", target, options);
    EXPECT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->resumed, 1000u);
    EXPECT_EQ(read_file(target).value(), data);
    // A piece that is not what it says it is.
    {
      auto part = PartFile::open(target, sent->written.etag, data.size(), options.piece);
      EXPECT_TRUE(part->write(as_bytes(std::string(1000, 'x')), 3000));
      EXPECT_TRUE(part->finish_piece(3));
    }
    EXPECT_EQ((co_await download_blob(client, "con", "f", target, options)).error().reason(),
              "damaged");
    EXPECT_EQ(read_file(target).value(), data);  // as it was
  });
}

TEST_F(TransferTest, ABlobThatChangesIsNoMixture) {
  with_client([](TransferTest& test, BlobClient& client) -> Task<void> {
    const std::string first = test.file("f", std::string(10'000, 'a')),
                      second = test.file("g", std::string(10'000, 'b'));
    const fs::path target = fs::path(test.folder) / "target";
    EXPECT_TRUE(co_await upload_file(client, "con", "f", first, small_pieces()));
    DownloadOptions options;
    options.piece = 1000;
    options.parallel = 1;
    bool replaced = false;
    // The blob is another as soon as its size is known.
    options.begin = [&](uint64_t) { replaced = true; };
    const auto before = co_await client.properties("con", "f");
    EXPECT_TRUE(co_await upload_file(client, "con", "f", second, small_pieces()));
    blob_client::ByteRange range;
    range.size = 10;
    const auto stale = co_await client.get("con", "f", range, before->etag);
    EXPECT_EQ(stale.error().code(), Code::precondition_failed);
    EXPECT_TRUE(co_await download_blob(client, "con", "f", target, options));
    EXPECT_TRUE(replaced);
    EXPECT_EQ(read_file(target).value(), std::string(10'000, 'b'));
  });
}

TEST_F(TransferTest, ASyncGoesOnAfterAFailureAndThenDeletesNothing) {
  with_client([](TransferTest& test, BlobClient& client) -> Task<void> {
    test.file("tree/a", "1");
    test.file("tree/b", "2");
    EXPECT_TRUE(co_await client.put_blob("con", "old", "x", {}));
    const fs::path root = fs::path(test.folder) / "files/tree";
    auto tree = read_tree(root);
    EXPECT_TRUE(tree);
    fs::remove(root / "a");  // gone between the listing and the sending
    const auto there = co_await list_entries(client, "con", "");
    Below to(client, "con", "");
    FolderToContainer sides(root, std::move(to), {});
    Plan plan = plan_sync(tree->files, *there, true);
    const auto outcome = co_await run_sync(sides, std::move(plan), {});
    EXPECT_EQ(outcome.sent, 1u);
    EXPECT_EQ(outcome.removed, 0u);
    EXPECT_EQ(outcome.failed.size(), 1u);
    EXPECT_FALSE(outcome.ended_early);
    EXPECT_TRUE(co_await client.properties("con", "old"));
  });
}

}  // namespace
}  // namespace holdfast::transfer
