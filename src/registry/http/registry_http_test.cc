// The protocol over a real server: status, headers and error bodies of the specification.
#include <gtest/gtest.h>

#include <map>

#include "base/files.h"
#include "net/http/testing.h"
#include "oci/fetch_model.h"
#include "registry/http/models.h"
#include "registry/http/service.h"
#include "registry/testing.h"

namespace holdfast::registry {
namespace {

using http::Client;

Result<http::Principal> by_role(const http::Request& request) {
  http::Principal who;
  who.role = request.headers.get_or("Authorization", "");
  if (who.role.starts_with("Bearer ")) who.role.erase(0, 7);
  who.name = who.role;
  return who;
}

struct Protocol : testing::Test, TestRegistry {
  http::Router router{http::json_error, by_role};
  std::unique_ptr<http::LoopbackServer> server;
  void SetUp() override {
    mount(router, *registry);
    http::ServerOptions options;
    options.max_body_bytes = 1000;  // /v2 has its own
    server = std::make_unique<http::LoopbackServer>(router, options);
  }
  void TearDown() override { server.reset(); }

  Client::Whole ask(const std::string& method, const std::string& target, std::string body = "",
                    std::vector<std::pair<std::string, std::string>> headers = {},
                    const std::string& role = "operator") {
    http::ClientRequest request(method, server->url(target));
    for (auto& [name, value] : headers) request.headers.set(name, value);
    if (!role.empty()) request.headers.set("Authorization", role);
    request.body = std::move(body);
    auto answer = http::fetch(std::move(request));
    EXPECT_TRUE(answer) << method << " " << target;
    return answer ? std::move(*answer) : Client::Whole();
  }
  std::string begin() {
    const auto begun = ask("POST", "/v2/a/b/blobs/uploads/");
    EXPECT_EQ(begun.status, 202u);
    return std::string(begun.headers.get_or("Location", ""));
  }
  Task<Result<oci::FetchedModel>> fetch(std::string manifest, oci::Digest layer,
                                        std::string token) {
    BlockingPool pool("fetch", 1);
    oci::RegistryClientOptions options;
    options.url = server->url();
    if (!token.empty()) options.authorization = [token] { return "Bearer " + token; };
    const auto client = oci::open_registry_client(options, pool);
    oci::Reference image = *oci::parse_reference("models/digits@" + manifest);
    co_return co_await oci::fetch_model(*client, std::move(image), std::move(layer),
                                        folder / "device", pool);
  }
  static std::string digest(const std::string& bytes) {
    return oci::Digest::sha256(as_bytes(bytes)).str();
  }
};

std::string code_of(const Client::Whole& answer) {
  const std::string head = R"({"errors":[{"code":")";
  EXPECT_TRUE(answer.body.starts_with(head)) << answer.body;
  return answer.body.substr(head.size(), answer.body.find('"', head.size()) - head.size());
}

TEST_F(Protocol, RolesAndTheChallenge) {
  const auto nobody = ask("GET", "/v2/", "", {}, "");
  EXPECT_EQ(nobody.status, 401u);
  EXPECT_EQ(nobody.headers.get("WWW-Authenticate"), "Basic realm=\"holdfast\"");
  EXPECT_EQ(code_of(nobody), "UNAUTHORIZED");
  EXPECT_EQ(ask("GET", "/v2/", "", {}, "reader").status, 200u);
  EXPECT_EQ(ask("GET", "/v2", "", {}, "reader").status, 200u);
  const auto reader = ask("POST", "/v2/a/blobs/uploads/", "", {}, "reader");
  EXPECT_EQ(reader.status, 403u);
  EXPECT_EQ(code_of(reader), "DENIED");
}

TEST_F(Protocol, EveryRouteHasItsRole) {
  ModelImagesOptions options;
  options.directory = (folder / "images").string();
  const auto images = std::move(*ModelImages::open(options, *registry));
  http::Router all(http::json_error, by_role);
  mount(all, *registry);
  mount_models(all, *images, clock);
  const std::map<std::string, std::string> weakest = {
      {"GET /v2", "reader"},
      {"GET /v2/{address...}", "reader"},
      {"POST /v2/{address...}", "operator"},
      {"PATCH /v2/{address...}", "operator"},
      {"PUT /v2/{address...}", "operator"},
      {"DELETE /v2/{address...}", "operator"},
      {"PUT /api/v1/registry/models/{name}/{version}", "operator"},
  };
  for (const http::Route& route : all.routes()) {
    const std::string name = route.method + " " + route.pattern;
    const auto row = weakest.find(name);
    ASSERT_NE(row, weakest.end()) << name << " has no row in this test";
    const auto status = [&](const std::string& role) {
      http::Request request;
      request.method = route.method;
      request.path = route.pattern.substr(0, route.pattern.find('{'));
      if (route.pattern.ends_with("{version}")) request.path += "m/x";
      request.body = std::make_unique<MemorySource>("");
      if (!role.empty()) request.headers.set("Authorization", role);
      return run_task(all.handle(request)).status;
    };
    EXPECT_EQ(status(""), 401u) << name;
    for (const std::string& role : {"reader", "operator", "admin"}) {
      const bool may = role != "reader" || row->second == "reader";
      EXPECT_EQ(status(role) == 403, !may) << name << " as " << role;
      EXPECT_NE(status(role), 401u) << name << " as " << role;
    }
  }
  EXPECT_EQ(all.routes().size(), weakest.size());
}

TEST_F(Protocol, PushesByPostAndPut) {
  const std::string location = begin();
  const auto put = ask("PUT", location + "?digest=" + digest("hello"), "hello");
  ASSERT_EQ(put.status, 201u) << put.body;
  EXPECT_EQ(put.headers.get("Location"), "/v2/a/b/blobs/" + digest("hello"));
  const auto got = ask("GET", std::string(put.headers.get_or("Location", "")), "", {}, "reader");
  EXPECT_EQ(got.body, "hello");
  EXPECT_EQ(got.headers.get("Docker-Content-Digest"), digest("hello"));
  const auto head = ask("HEAD", "/v2/a/b/blobs/" + digest("hello"));
  EXPECT_EQ(head.status, 200u);
  EXPECT_EQ(head.headers.get("Content-Length"), "5");
  EXPECT_EQ(code_of(ask("GET", "/v2/a/b/blobs/" + digest("other"))), "BLOB_UNKNOWN");
  EXPECT_EQ(ask("POST", "/v2/a/b/blobs/uploads/?digest=" + digest("one"), "one").status, 201u);
  EXPECT_EQ(code_of(ask("POST", "/v2/a/b/blobs/uploads/?digest=" + digest("one"), "two")),
            "DIGEST_INVALID");
  EXPECT_EQ(ask("POST", "/v2/x/blobs/uploads/?mount=" + digest("one") + "&from=a/b").status, 201u);
  EXPECT_EQ(ask("POST", "/v2/x/blobs/uploads/?mount=" + digest("no") + "&from=a/b").status, 202u);
}

TEST_F(Protocol, PushesInChunks) {
  const std::string location = begin();
  auto patched = ask("PATCH", location, "0123", {{"Content-Range", "0-3"}});
  EXPECT_EQ(patched.status, 202u);
  EXPECT_EQ(patched.headers.get("Range"), "0-3");
  patched = ask("PATCH", location, "89", {{"Content-Range", "8-9"}});
  EXPECT_EQ(patched.status, 416u);
  EXPECT_EQ(patched.headers.get("Range"), "0-3");
  EXPECT_EQ(code_of(patched), "BLOB_UPLOAD_INVALID");
  EXPECT_EQ(code_of(ask("PATCH", location, "45", {{"Content-Range", "4-9"}})), "SIZE_INVALID");
  EXPECT_EQ(code_of(ask("PATCH", location, "45", {{"Content-Range", "bytes 4-5/6"}})),
            "BLOB_UPLOAD_INVALID");
  const auto status = ask("GET", location);
  EXPECT_EQ(status.status, 204u);
  EXPECT_EQ(status.headers.get("Range"), "0-3");
  EXPECT_EQ(ask("PATCH", location, "45").status, 202u);  // as Docker streams
  const std::string end = location + "?digest=" + digest("01234567");
  EXPECT_EQ(ask("PUT", end, "67", {{"Content-Range", "7-8"}}).status, 416u);
  EXPECT_EQ(ask("PUT", end, "67", {{"Content-Range", "6-7"}}).status, 201u);
  EXPECT_EQ(code_of(ask("PUT", end)), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(ask("GET", "/v2/a/b/blobs/" + digest("01234567")).body, "01234567");
  const std::string other = begin();
  EXPECT_EQ(ask("DELETE", other).status, 204u);
  EXPECT_EQ(code_of(ask("GET", other)), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(Protocol, GivesRanges) {
  // Of one piece, and of several.
  put("a", "0123456789");
  const std::string path = "/v2/a/blobs/" + digest("0123456789");
  const auto range = [&](const char* text) { return ask("GET", path, "", {{"Range", text}}); };
  EXPECT_EQ(range("bytes=2-4").body, "234");
  EXPECT_EQ(range("bytes=2-4").status, 206u);
  EXPECT_EQ(range("bytes=2-4").headers.get("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(range("bytes=7-").body, "789");
  EXPECT_EQ(range("bytes=-3").body, "789");
  EXPECT_EQ(range("bytes=0-99").body, "0123456789");
  EXPECT_EQ(range("bytes=10-").status, 416u);
  EXPECT_EQ(range("bytes=10-").headers.get("Content-Range"), "bytes */10");
  EXPECT_EQ(range("bytes=-0").status, 416u);
  for (const char* ignored : {"bytes=4-2", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2", "bytes=-"})
    EXPECT_EQ(range(ignored).status, 200u) << ignored;
  const std::string location = begin();
  EXPECT_EQ(ask("PATCH", location, "abc").status, 202u);
  EXPECT_EQ(ask("PUT", location + "?digest=" + digest("abcdef"), "def").status, 201u);
  EXPECT_EQ(ask("GET", "/v2/a/b/blobs/" + digest("abcdef"), "", {{"Range", "bytes=1-4"}}).body,
            "bcde");
}

TEST_F(Protocol, ManifestsTagsAndReferrers) {
  const std::string json = manifest("a", {put("a", "layer")});
  const std::pair<std::string, std::string> type{"Content-Type", oci::media::kManifest};
  const auto made = ask("PUT", "/v2/a/manifests/1", json, {type});
  ASSERT_EQ(made.status, 201u) << made.body;
  EXPECT_EQ(made.headers.get("Docker-Content-Digest"), digest(json));
  const auto by_digest =
      ask("PUT", "/v2/a/manifests/" + digest(json) + "?tag=x&tag=y", json, {type});
  EXPECT_EQ(by_digest.status, 201u);
  const auto got = ask("GET", "/v2/a/manifests/1");
  EXPECT_EQ(got.body, json);
  EXPECT_EQ(got.headers.get("Content-Type"), oci::media::kManifest);
  EXPECT_EQ(ask("HEAD", "/v2/a/manifests/y").headers.get("Content-Length"),
            std::to_string(json.size()));
  EXPECT_EQ(code_of(ask("GET", "/v2/a/manifests/2")), "MANIFEST_UNKNOWN");
  EXPECT_EQ(code_of(ask("PUT", "/v2/a/manifests/2", "{}", {type})), "MANIFEST_INVALID");
  EXPECT_EQ(code_of(ask("PUT", "/v2/b/manifests/2", json, {type})), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_EQ(code_of(ask("PUT", "/v2/a/manifests/" + digest("other"), json, {type})),
            "DIGEST_INVALID");
  const auto large = ask("PUT", "/v2/a/manifests/2", std::string(9 << 20, ' '), {type});
  EXPECT_EQ(large.status, 413u);
  const auto tags = ask("GET", "/v2/a/tags/list?n=2");
  EXPECT_EQ(tags.body, R"({"name":"a","tags":["1","x"]})");
  EXPECT_EQ(tags.headers.get("Link"), "</v2/a/tags/list?n=2&last=x>; rel=\"next\"");
  EXPECT_EQ(ask("GET", "/v2/a/tags/list?n=2&last=x").body, R"({"name":"a","tags":["y"]})");
  EXPECT_EQ(ask("GET", "/v2/_catalog").body, R"({"repositories":["a"]})");
  EXPECT_EQ(ask("GET", "/v2/a/tags/list?n=x").status, 400u);
  oci::Manifest note = *oci::parse_manifest(json, "");
  note.artifact_type = "application/x-note";
  note.subject.emplace();
  note.subject->media_type = oci::media::kManifest;
  note.subject->digest = oci::Digest::sha256(as_bytes(json));
  const std::string refers = oci::write_manifest(note);
  const auto put_note = ask("PUT", "/v2/a/manifests/" + digest(refers), refers, {type});
  EXPECT_EQ(put_note.headers.get("OCI-Subject"), digest(json));
  const std::string list = "/v2/a/referrers/" + digest(json);
  EXPECT_NE(ask("GET", list).body.find(digest(refers)), std::string::npos);
  const auto filtered = ask("GET", list + "?artifactType=other");
  EXPECT_EQ(filtered.headers.get("OCI-Filters-Applied"), "artifactType");
  EXPECT_EQ(filtered.body, oci::write_descriptors({}));
  EXPECT_EQ(ask("DELETE", "/v2/a/blobs/" + digest("layer")).status, 405u);
  EXPECT_EQ(ask("DELETE", "/v2/a/manifests/1").status, 202u);
  EXPECT_EQ(ask("DELETE", "/v2/a/manifests/" + digest(json)).status, 202u);
  EXPECT_EQ(ask("GET", "/v2/a/manifests/y").status, 404u);
}

// The edge's way: the client of oci/ against this server, with nothing between them faked.
TEST_F(Protocol, ADeviceFetchesTheModelLayerAlone) {
  const auto onnx = folder / "m.onnx";
  ASSERT_TRUE(replace_file(onnx, as_bytes(std::string(2'000'000, 'm') + "odel")));
  oci::RuntimeLayer runtime;
  const auto base = oci::write_layer({oci::tar_file("base", "bytes")}, folder / "base");
  ASSERT_TRUE(base);
  runtime.layer = *base;
  oci::ModelDescription description;
  description.name = "digits";
  description.version = 4;
  const auto image = oci::build_model_image(description, onnx, runtime, folder / "layer");
  ASSERT_TRUE(image) << image.error().message();
  for (const auto& file : {base->file, image->model.file}) put("models/digits", *read_file(file));
  put("models/digits", image->config);
  Tags tags;
  tags.names = {"4"};
  ASSERT_TRUE(
      run_task(registry->put_manifest("models/digits", image->manifest, "", oci::Digest(), tags)));
  const auto fetched = run_task(
      fetch(image->manifest_descriptor.digest.str(), image->model.descriptor.digest, "reader"));
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(*read_file(fetched->onnx), *read_file(onnx));
  EXPECT_EQ(fetched->model.version, 4);
  EXPECT_EQ(run_task(fetch(image->manifest_descriptor.digest.str(), {}, "")).error().code(),
            Code::unauthenticated);
}

TEST_F(Protocol, NonsenseHasTheProtocolsErrors) {
  EXPECT_EQ(code_of(ask("GET", "/v2/a/blobs/sha256:12")), "DIGEST_INVALID");
  EXPECT_EQ(code_of(ask("GET", "/v2/Upper/tags/list")), "NAME_INVALID");
  EXPECT_EQ(code_of(ask("GET", "/v2/..%2f..%2fetc/tags/list")), "NAME_INVALID");
  EXPECT_EQ(code_of(ask("GET", "/v2/what")), "NAME_UNKNOWN");
  EXPECT_EQ(code_of(ask("GET", "/v2/a/tags/list")), "NAME_UNKNOWN");
  EXPECT_EQ(code_of(ask("POST", "/v2/a/tags/list")), "UNSUPPORTED");
  EXPECT_EQ(code_of(ask("PUT", begin(), "x")), "DIGEST_INVALID");
  EXPECT_EQ(code_of(ask("PUT", "/v2/a/blobs/uploads/none?digest=" + digest("x"), "x")),
            "BLOB_UPLOAD_UNKNOWN");
}

}  // namespace
}  // namespace holdfast::registry
