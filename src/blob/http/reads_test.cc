// Reads that are answered without a coroutine.
#include "blob/http/service_testing.h"

namespace holdfast::blob {
namespace {

// On a database that can be read on the caller's own thread.
struct ReadService : BlobService {
  store::Folder folder;
  void SetUp() override {
    blobs.reset();
    failing_objects.reset();
    failing_database.reset();
    objects.reset();
    database = std::move(*store::open_sqlite({(folder.path / "t.db").string()}));
    objects = std::move(*store::open_memory_objects(*database));
    blobs = std::move(*Blobs::open(*database, *objects, clock));
    make_container("c");
    BlobService::SetUp();
  }
  // Without the time in it, which is when it was answered.
  static std::string timeless(std::string body) {
    const size_t at = body.find("\nTime:");
    return at == std::string::npos ? body : body.erase(at, body.find('<', at) - at);
  }
};

TEST_F(ReadService, AReadAtOnceAnswersAsTheCoroutineDoes) {
  ASSERT_TRUE(put_blob("x", "0123456789"));
  const std::string signature = sas("r"), x = "/site1/c/x?" + signature;
  const auto all_of = [](const http::Headers& headers) {
    std::vector<http::Headers::Pair> all;
    for (const auto pair : headers) all.push_back(pair);
    return all;
  };
  const auto compare = [&](bool at_once, const std::string& target, const HeaderList& headers) {
    http::Request request = make_request("GET", target, headers);
    const auto route = router.find(request);
    ASSERT_TRUE(route.has_value());
    auto response = router.run_at_once(**route, request, "");
    ASSERT_EQ(response.has_value(), at_once) << target;
    const Answer late = handle(make_request("GET", target, headers));
    if (!response) return;
    EXPECT_EQ(response->status, late.status) << target;
    EXPECT_EQ(all_of(response->headers), all_of(late.headers)) << target;
    EXPECT_EQ(timeless(body_of(*response)), timeless(late.body)) << target;
  };
  for (const HeaderList& headers : std::vector<HeaderList>{{},
                                                           {{"x-ms-range", "bytes=2-4"}},
                                                           {{"Range", "bytes=90-"}},
                                                           {{"If-None-Match", "*"}},
                                                           {{"x-ms-version", "soon"}},
                                                           {{"If-Match", "\"0x1\""}},
                                                           {{"x-ms-encryption-key", "k"}}})
    compare(true, x, headers);
  compare(true, "/site1/c/y?" + signature, {});
  compare(true, "/site2/c/x?" + signature, {});
  compare(true, x + "A", {});  // another signature
  compare(false, x, {{"Origin", "https://page"}});
  compare(false, x, {{"x-ms-range", "bytes=2-4"}, {"x-ms-range-get-content-md5", "true"}});
  compare(false, "/site1/c/x?si=policy&" + signature, {});
  compare(false, "/site1/c/x", {});
  compare(false, "/site1/c?restype=container&comp=list&" + sas("l", ""), {});
}

}  // namespace
}  // namespace holdfast::blob
