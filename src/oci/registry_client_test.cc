// The client against a server that answers as registries do, and as they should not.
#include <gtest/gtest.h>

#include "base/files.h"
#include "net/http/testing.h"
#include "oci/registry_client.h"
#include "oci/testing.h"

namespace holdfast::oci {
namespace {

// A blob that breaks off after `cut` bytes of each answer.
struct Server {
  std::string blob = std::string(300'000, 'a') + std::string(300'000, 'b');
  size_t cut = SIZE_MAX;
  bool ranges = true, lies = false;
  std::vector<std::string> asked;  // Range of each request
  http::Router router{http::json_error};
  std::unique_ptr<http::LoopbackServer> loopback;

  Server() {
    router.add("GET", "/v2/a/blobs/{digest}", http::Role::anonymous,
               [this](http::Request& request) { return answer(request); });
    router.add("GET", "/v2/a/manifests/{reference}", http::Role::anonymous,
               [](http::Request& request) -> Task<Result<http::Response>> {
                 if (request.param("reference") == "gone")
                   co_return fail(Code::not_found, "no such manifest");
                 co_return http::Response(200, media::kIndex, write_descriptors({}));
               });
    loopback = std::make_unique<http::LoopbackServer>(router);
  }
  Task<Result<http::Response>> answer(http::Request& request) {
    const std::string range(request.headers.get_or("Range", ""));
    asked.push_back(range);
    const size_t from =
        ranges && !range.empty() ? parse_u64(range.substr(6, range.size() - 7)).value_or(0) : 0;
    std::string bytes = blob.substr(from);
    if (lies) bytes.back() = 'c';
    http::Response response(from > 0 ? 206 : 200);
    http::StreamBody body;
    body.size = bytes.size();
    if (bytes.size() > cut) {
      body.source = std::make_unique<http::FailingSource>(
          bytes.substr(0, cut), Error(Code::unavailable, "cut for the test"));
    } else {
      body.source = std::make_unique<MemorySource>(std::move(bytes));
    }
    response.body = std::move(body);
    co_return response;
  }
  Descriptor descriptor() const {
    Descriptor out;
    out.digest = Digest::sha256(as_bytes(blob));
    out.size = blob.size();
    return out;
  }
};

struct Client {
  Folder folder;
  BlockingPool pool{"test", 1};
  std::filesystem::path into = folder.path / "blob";
  Result<void> fetch(const Server& server, Descriptor blob) {
    return run_task(fetch_once(server, std::move(blob)));
  }
  Result<FetchedManifest> manifest(const Server& server, const std::string& reference) {
    return run_task(ask_once(server, *parse_reference(reference)));
  }

 private:
  // A client ends before the context that its connections belong to.
  std::unique_ptr<RegistryClient> open(const Server& server) {
    RegistryClientOptions options;
    options.url = server.loopback->url();
    return open_registry_client(options, pool);
  }
  Task<Result<void>> fetch_once(const Server& server, Descriptor blob) {
    const auto client = open(server);
    co_return co_await client->fetch_blob("a", std::move(blob), into);
  }
  Task<Result<FetchedManifest>> ask_once(const Server& server, Reference reference) {
    const auto client = open(server);
    co_return co_await client->manifest(std::move(reference));
  }
};

TEST(RegistryClient, ContinuesWhereItWasCut) {
  Server server;
  server.cut = 250'000;
  Client client;
  const auto fetched = client.fetch(server, server.descriptor());
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(*read_file(client.into), server.blob);
  ASSERT_GE(server.asked.size(), 3u);
  EXPECT_EQ(server.asked[0], "");
  EXPECT_NE(server.asked[1], "");
  EXPECT_FALSE(std::filesystem::exists(client.into.string() + ".part"));
  const size_t asked = server.asked.size();
  EXPECT_TRUE(client.fetch(server, server.descriptor()));  // there already
  EXPECT_EQ(server.asked.size(), asked);
}

TEST(RegistryClient, TakesUpWhatAnEarlierProcessLeft) {
  Server server;
  Client client;
  client.folder.file("blob.part", server.blob.substr(0, 100));
  ASSERT_TRUE(client.fetch(server, server.descriptor()));
  EXPECT_EQ(server.asked.at(0), "bytes=100-");
  EXPECT_EQ(*read_file(client.into), server.blob);
}

TEST(RegistryClient, BeginsAnewWhereRangesAreNotKnown) {
  Server server;
  server.ranges = false;
  Client client;
  client.folder.file("blob.part", server.blob.substr(0, 100));
  ASSERT_TRUE(client.fetch(server, server.descriptor()));
  EXPECT_EQ(*read_file(client.into), server.blob);
}

TEST(RegistryClient, WrongBytesAreNeverThere) {
  Server server;
  server.lies = true;
  Client client;
  auto fetched = client.fetch(server, server.descriptor());
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().reason(), "digest_mismatch");
  EXPECT_FALSE(std::filesystem::exists(client.into));
  EXPECT_FALSE(std::filesystem::exists(client.into.string() + ".part"));
  server.lies = false;
  Descriptor shorter = server.descriptor();
  shorter.size = 1000;
  fetched = client.fetch(server, shorter);
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().reason(), "digest_mismatch");
  EXPECT_FALSE(std::filesystem::exists(client.into));
}

TEST(RegistryClient, ManifestsAreCheckedAgainstTheirDigest) {
  Server server;
  Client client;
  const auto ask = [&](const std::string& name) { return client.manifest(server, name); };
  const auto fetched = ask("a:1");
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(fetched->descriptor.digest, Digest::sha256(as_bytes(write_descriptors({}))));
  EXPECT_TRUE(ask("a@" + fetched->descriptor.digest.str()));
  const auto other = ask("a@" + Digest::sha256(as_bytes("other")).str());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().reason(), "digest_mismatch");
  EXPECT_EQ(ask("a:gone").error().code(), Code::not_found);
}

}  // namespace
}  // namespace holdfast::oci
