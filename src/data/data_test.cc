#include <fstream>

#include <boost/json/parse.hpp>

#include "base/files.h"
#include "blob/blobs.h"
#include "data/assets.h"
#include "data/http/api.h"
#include "store/database/failing_database.h"
#include "store/objects/memory_objects.h"
#include "store/objects/testing.h"

namespace holdfast::data {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using store::text;

struct DataAssets : testing::Test, store::ObjectRig {
  FakeClock clock;
  std::unique_ptr<blob::Blobs> blobs;
  std::unique_ptr<Assets> assets;
  BlockingPool pool{"test", 1};

  void SetUp() override {
    database = *store::open_sqlite({":memory:"});
    objects = *store::open_memory_objects(*database);
    blobs = *blob::Blobs::open(*database, *objects, clock);
    assets = *Assets::open(*database, *objects, clock);
    ASSERT_TRUE(run_task(blobs->create_container("site1", "ready", {})));
  }
  void put_blob(const std::string& name, const std::string& bytes) {
    clock.advance(std::chrono::seconds(1));
    ASSERT_TRUE(
        run_task(blobs->put_blob(blob::BlobKey("site1", "ready", name), stage(bytes), {}, {}, {})));
  }
  void delete_blob(const std::string& name) {
    ASSERT_TRUE(run_task(blobs->delete_blob(blob::BlobKey("site1", "ready", name), {})));
  }
  Result<Version> create(const std::string& prefix = "d/") {
    return run_task(assets->create("digits", Source{"site1", "ready", prefix}));
  }
  std::string read_file_of(int64_t number, const std::string& path) {
    const auto found = run_task(assets->open_file("digits", number, path));
    return found ? read(found->content) : found.error().message();
  }
};

TEST_F(DataAssets, AVersionReadsTheSameAfterTheBlobsChanged) {
  put_blob("d/a.npy", text(5000, 'a'));
  put_blob("d/sub/b.csv", text(10, 'b'));
  put_blob("other", "not of it");
  const auto first = create();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->number, 1);
  EXPECT_EQ(first->files, 2u);
  EXPECT_EQ(first->bytes, 5010u);
  put_blob("d/a.npy", text(7, 'z'));
  delete_blob("d/sub/b.csv");
  put_blob("d/new", "n");
  ASSERT_TRUE(run_task(blobs->sweep()));
  const auto second = create();
  EXPECT_EQ(second->number, 2);
  EXPECT_EQ(read_file_of(1, "a.npy"), text(5000, 'a'));
  EXPECT_EQ(read_file_of(1, "sub/b.csv"), text(10, 'b'));
  EXPECT_EQ(read_file_of(0, "a.npy"), text(7, 'z'));
  const auto files = *run_task(assets->files("digits", 2, "", 10));
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[1].path, "new");
  EXPECT_EQ(run_task(assets->files("digits", 2, "a.npy", 10))->size(), 1u);
}

TEST_F(DataAssets, WhatDidNotChangeMakesNoVersion) {
  put_blob("d/a", "1");
  const auto first = create();
  EXPECT_EQ(create()->number, 1);
  EXPECT_EQ(create()->digest, first->digest);
  put_blob("d/a", "1");  // the same bytes, written again: another state of the container
  EXPECT_EQ(create()->number, 2);
  EXPECT_EQ(run_task(assets->versions("digits"))->size(), 2u);
  EXPECT_EQ(run_task(assets->list())->at(0).number, 2);
}

TEST_F(DataAssets, ADeletedVersionLetsGoOfItsBytesAndItsNumberIsNotUsedAgain) {
  put_blob("d/a", text(9000, 'a'));
  ASSERT_TRUE(create());
  delete_blob("d/a");
  EXPECT_EQ(*run_task(objects->sweep()), 0u);
  ASSERT_TRUE(run_task(assets->remove("digits", 1)));
  EXPECT_EQ(*run_task(objects->sweep()), 9000u);
  EXPECT_EQ(run_task(assets->find("digits", 0)).error().code(), Code::not_found);
  put_blob("d/b", "1");
  EXPECT_EQ(create()->number, 2);
}

TEST_F(DataAssets, WhatIsWrongIsNamed) {
  EXPECT_EQ(create().error().reason(), "no_files");
  EXPECT_EQ(run_task(assets->create("digits", Source{"site1", "gone", ""})).error().reason(),
            "container_not_found");
  EXPECT_EQ(run_task(assets->create("../x", Source{"site1", "ready", ""})).error().code(),
            Code::invalid_argument);
  put_blob("d/../../etc/passwd", "x");
  put_blob("d/good", "x");
  const auto escaping = create();
  EXPECT_EQ(escaping.error().code(), Code::invalid_argument);
  EXPECT_NE(escaping.error().message().find("etc/passwd"), std::string::npos);
  EXPECT_EQ(run_task(assets->find("digits", 0)).error().code(), Code::not_found);
  EXPECT_EQ(run_task(assets->find("digits", 3)).error().code(), Code::not_found);
}

TEST_F(DataAssets, AFailedCommitHoldsNothing) {
  put_blob("d/a", text(100, 'a'));
  store::FailingDatabase failing(*database);
  const auto other = *Assets::open(failing, *objects, clock);
  failing.fail_next(Error(Code::unavailable, "the disk is full"));
  const Source source{"site1", "ready", "d/"};
  EXPECT_EQ(run_task(other->create("digits", source)).error().code(), Code::unavailable);
  EXPECT_EQ(run_task(other->find("digits", 0)).error().code(), Code::not_found);
  delete_blob("d/a");
  EXPECT_EQ(*run_task(objects->sweep()), 100u);  // no reference was left behind
}

TEST_F(DataAssets, AFolderIsWrittenAsTheVersionWas) {
  put_blob("d/a.npy", text(300'000, 'a'));
  put_blob("d/sub/empty", "");
  ASSERT_TRUE(create());
  put_blob("d/a.npy", "changed");
  const std::string directory = folder.path / "out";
  fs::create_directories(directory);
  EXPECT_EQ(*run_task(assets->materialise("digits", 1, directory, pool)), 300'000u);
  EXPECT_EQ(*holdfast::read_file(directory + "/a.npy"), text(300'000, 'a'));
  EXPECT_EQ(*holdfast::read_file(directory + "/sub/empty"), "");
}

struct DataApi : DataAssets {
  http::Router router;
  void SetUp() override {
    DataAssets::SetUp();
    mount(router, *assets);
  }
  std::pair<unsigned, json::value> call(std::string method, std::string path, std::string body = "",
                                        std::string role = "operator") {
    http::Request request;
    request.method = std::move(method);
    const size_t mark = path.find('?');
    if (mark != std::string::npos) request.query = {{"limit", path.substr(path.find('=') + 1)}};
    request.path = path.substr(0, mark);
    request.principal = {"test", std::move(role)};
    request.body = std::make_unique<MemorySource>(std::move(body));
    const http::Response response = run_task(router.handle(request));
    const auto* text_body = std::get_if<std::string>(&response.body);
    boost::system::error_code error;
    return {response.status, text_body == nullptr ? json::value() : json::parse(*text_body, error)};
  }
};

TEST_F(DataApi, EveryRouteAnswers) {
  put_blob("d/a b", "x");
  const std::string wanted =
      R"({"name":"digits","account":"site1","container":"ready","prefix":"d/"})";
  const auto [created, version] = call("POST", "/api/v1/data", wanted);
  EXPECT_EQ(created, 201u);
  EXPECT_EQ(version.at("version"), "1");
  EXPECT_EQ(call("GET", "/api/v1/data").second.at("assets").as_array().size(), 1u);
  EXPECT_EQ(call("GET", "/api/v1/data/digits").second.at("versions").as_array().size(), 1u);
  EXPECT_EQ(call("GET", "/api/v1/data/digits/versions/latest").second.at("files"), 1);
  EXPECT_EQ(call("GET", "/api/v1/data/digits/versions/1/files").second.at("files").at(0).at("path"),
            "a b");
  EXPECT_EQ(call("GET", "/api/v1/data/digits/versions/1/files/a%20b").first, 200u);
  EXPECT_EQ(call("DELETE", "/api/v1/data/digits/versions/1").first, 204u);
  EXPECT_EQ(call("GET", "/api/v1/data/digits/versions/1").first, 404u);
}

TEST_F(DataApi, BadCallsAreNamed) {
  for (const char* body : {"", "[]", R"({"name":"x"})", R"({"name":1})", R"({"path":"x"})",
                           R"({"name":"","account":"a","container":"b"})"})
    EXPECT_EQ(call("POST", "/api/v1/data", body).first, 400u) << body;
  for (const char* version : {"0", "x", "-1", "99999999999999999999"})
    EXPECT_EQ(call("GET", std::string("/api/v1/data/digits/versions/") + version).first, 400u);
  EXPECT_EQ(call("GET", "/api/v1/data/digits/versions/1/files?limit=0").first, 400u);
  EXPECT_EQ(call("DELETE", "/api/v1/data/digits/versions/latest").first, 400u);
  EXPECT_EQ(call("POST", "/api/v1/data", "{}", "reader").first, 403u);
}

}  // namespace
}  // namespace holdfast::data
