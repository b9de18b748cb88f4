#include "config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/secret.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWhole = R"(device: press-07
data: /var/lib/holdfast/edge
listen: {http: 127.0.0.1:8081}
accounts:
  - {name: site1, endpoint: "http://127.0.0.1:10000/site1", key: "file:key"}
shares:
  - {name: camera, kind: local, path: camera, quiet: 250ms}
  - {name: ready, kind: cloud, account: site1, container: tensors, path: /srv/ready, keep: 168h}
  - {name: answers, kind: cloud, account: site1}
transforms:
  - {name: digits, share: camera, recipe: digits.yaml, to: ready, batch: {rows: 64, after: 5s}}
answers:
  - {name: digits, transform: digits, model: digits, to: answers, lines: 10, after: 2s}
serve: {listen: 127.0.0.1:8000, managed: true}
)";

class EdgeConfigTest : public ::testing::Test {
 public:
  EdgeConfigTest() {
    char name[] = "/tmp/edge_config_test.XXXXXX";
    folder_ = mkdtemp(name);
    std::ofstream(folder_ / "key") << "c2VjcmV0\n";
    std::ofstream(folder_ / "digits.yaml")
        << "steps:\n  - decode: {color: gray}\n  - resize: {width: 8, height: 8}\n";
    std::ofstream(folder_ / "loose.yaml") << "steps:\n  - decode: {color: gray}\n";
    std::ofstream(folder_ / "bad.yaml") << "steps:\n  - decod: {}\n";
  }
  ~EdgeConfigTest() override { fs::remove_all(folder_); }

  Result<EdgeConfig> parse(std::string_view text, EdgeOverrides overrides = {}) const {
    return parse_edge_config(std::string(text), folder_ / "edge.yaml", overrides);
  }
  // The whole configuration with one text replaced.
  std::string error_of(std::string_view from, std::string_view to) const {
    std::string text(kWhole);
    text.replace(text.find(from), from.size(), to);
    const auto config = parse(text);
    if (config) return "no error";
    EXPECT_EQ(config.error().code(), Code::invalid_argument);
    return config.error().message();
  }

  fs::path folder_;
};

TEST_F(EdgeConfigTest, ReadsAll) {
  const auto config = parse(kWhole);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->device, "press-07");
  EXPECT_EQ(config->accounts[0].key, "c2VjcmV0");
  ASSERT_EQ(config->shares.size(), 3u);
  EXPECT_EQ(config->shares[0].path, "/var/lib/holdfast/edge/shares/camera");
  EXPECT_EQ(config->shares[0].quiet, std::chrono::milliseconds(250));
  EXPECT_EQ(config->shares[1].path, "/srv/ready");
  EXPECT_EQ(config->shares[1].container, "tensors");
  EXPECT_EQ(config->shares[1].keep, std::chrono::hours(168));
  EXPECT_EQ(config->shares[2].keep, std::nullopt);
  EXPECT_EQ(config->shares[2].container, "answers");
  ASSERT_EQ(config->flows.size(), 1u);
  const answers::FlowConfig& flow = config->flows[0];
  EXPECT_EQ(flow.device, "press-07");
  EXPECT_EQ(flow.share.name.str(), "camera");
  EXPECT_EQ(flow.recipe.shape(), (std::vector<int64_t>{8, 8, 1}));
  EXPECT_EQ(flow.batches->limits.rows, 64u);
  EXPECT_EQ(flow.batches->folder, "/srv/ready");
  EXPECT_EQ(flow.answers->model, "digits");
  EXPECT_EQ(flow.answers->lines, 10u);
  EXPECT_EQ(config->serve.models, "/var/lib/holdfast/edge/models");
  EXPECT_EQ(config->serve.local, "/var/lib/holdfast/edge/serve/local.sock");
  EXPECT_TRUE(config->serve.wanted);
}

TEST_F(EdgeConfigTest, AnEmptyOneNeedsOnlyItsData) {
  EXPECT_NE(parse("").error().message().find("data: is required"), std::string::npos)
      << parse("").error().message();
  const auto config = parse("", {"/data", "127.0.0.2:0"});
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->data, "/data");
  EXPECT_EQ(config->http, "127.0.0.2:0");
  EXPECT_FALSE(config->serve.wanted);
}

TEST_F(EdgeConfigTest, NamesTheProblem) {
  const auto expect = [&](std::string_view from, std::string_view to, std::string_view message) {
    const std::string error = error_of(from, to);
    EXPECT_NE(error.find(message), std::string::npos) << to << "\n→ " << error;
  };
  expect("device:", "devise:", "edge.yaml:1:1: devise: is not a known key");
  expect("quiet: 250ms", "quite: 250ms", "edge.yaml:7:");
  expect("quiet: 250ms", "quiet: soon", "shares[0].quiet");
  expect("quiet: 250ms", "keep: 1h", "is for cloud shares");
  expect("keep: 168h", "keep: soon", "must be forever, or a time");
  expect("kind: local", "kind: remote", "must be local or cloud");
  expect("name: camera", "name: Camera", "shares[0].name");
  expect("name: ready, kind", "name: camera, kind", "'camera' is there twice");
  expect("path: /srv/ready", "path: camera", "is that of the share 'camera' too");
  expect("account: site1, container", "account: site2, container", "there is no account 'site2'");
  expect("\"file:key\"", "c2VjcmV0", "must be a reference");
  expect("\"file:key\"", "\"file:nokey\"", "accounts[0].key");
  expect("\"file:key\"", "\"env:HOLDFAST_NO_SUCH\"", "the variable HOLDFAST_NO_SUCH is not set");
  expect("\"http://127.0.0.1:10000/site1\"", "somewhere", "must be an http:// or https:// URL");
  expect("127.0.0.1:8081", "0.0.0.0:8081", "is not loopback");
  expect("share: camera", "share: cam", "there is no share 'cam'");
  expect("share: camera", "share: ready", "is not a local share");
  expect("recipe: digits.yaml", "recipe: none.yaml", "transforms[0].recipe");
  expect("recipe: digits.yaml", "recipe: loose.yaml", "no fixed shape");
  expect("recipe: digits.yaml", "recipe: bad.yaml", "bad.yaml:2:5: steps[0].decod");
  expect("to: ready", "to: camera", "must be another share");
  expect("rows: 64", "rows: 0", "is not a whole number from 1 to 65536");
  expect("transform: digits", "transform: letters", "there is no transform 'letters'");
  expect("lines: 10", "lines: ten", "answers[0].lines");
  expect("listen: 127.0.0.1:8000, managed: true", "listen: 127.0.0.1:0, managed: false",
         "needs a port");
}

TEST_F(EdgeConfigTest, ModulesHaveTheirDoorAndTheirHosts) {
  const auto plain = parse(kWhole);
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_EQ(plain->mqtt, "127.0.0.2:8883");
  EXPECT_EQ(plain->hostname, "127.0.0.2");
  EXPECT_EQ(plain->engine, "");
  EXPECT_FALSE(plain->processes);
  const std::string rest = "containers: {socket: /run/podman.sock}\nprocesses: true\n";
  const auto whole =
      parse("data: /d\nlisten: {mqtt: \"0.0.0.0:8883\"}\nhostname: press.local\n" + rest);
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->mqtt, "0.0.0.0:8883");
  EXPECT_EQ(whole->hostname, "press.local");
  EXPECT_EQ(whole->engine, "/run/podman.sock");
  EXPECT_TRUE(whole->processes);
  const auto error = [&](const std::string& text) {
    return parse("data: /d\n" + text).error().message();
  };
  EXPECT_NE(error("listen: {mqtt: \"0.0.0.0:8883\"}").find("hostname: must say"),
            std::string::npos);
  EXPECT_NE(error("listen: {mqtt: here}").find("listen.mqtt"), std::string::npos);
  EXPECT_NE(error("containers: {socket: podman.sock}").find("absolute path"), std::string::npos);
  EXPECT_NE(error("containers: {}").find("containers.socket"), std::string::npos);
  EXPECT_NE(error("hostname: a;b").find("hostname"), std::string::npos);
}

TEST_F(EdgeConfigTest, AGrpcDoorIsOfAServerThatIsItsOwn) {
  EXPECT_NE(error_of("managed: true}", "managed: false, grpc: 127.0.0.1:8001}")
                .find("that this edge starts itself"),
            std::string::npos);
  EXPECT_NE(error_of("managed: true}", "grpc: nowhere}"), "no error");
  std::string text(kWhole);
  text.replace(text.find("managed: true}"), 14, "grpc: 127.0.0.1:8001}");
  const auto config = parse(text);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->serve.grpc, "127.0.0.1:8001");
}

TEST_F(EdgeConfigTest, ALocalDoorIsWhereItIsSaid) {
  const auto local = [&](std::string_view serve) {
    std::string text(kWhole);
    text.replace(text.find("managed: true}"), 14, serve);
    const auto config = parse(text);
    EXPECT_TRUE(config) << config.error().message();
    return config ? config->serve.local : "";
  };
  EXPECT_EQ(local("managed: false}"), "");
  EXPECT_EQ(local("managed: true, local: \"\"}"), "");
  EXPECT_EQ(local("managed: false, local: /run/serve.sock}"), "/run/serve.sock");
  EXPECT_EQ(local("local: serve.sock}"), (folder_ / "serve.sock").string());
}

TEST_F(EdgeConfigTest, AServerThatIsItsOwnMayHaveAConfiguration) {
  EXPECT_NE(error_of("managed: true}", "managed: false, config: serve.yaml}")
                .find("that this edge starts itself"),
            std::string::npos);
  std::string text(kWhole);
  text.replace(text.find("managed: true}"), 14, "config: serve.yaml}");
  const auto config = parse(text);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->serve.config, (folder_ / "serve.yaml").string());
}

TEST_F(EdgeConfigTest, NoErrorShowsASecret) {
  EXPECT_EQ(error_of("\"file:key\"", "c2VjcmV0").find("c2VjcmV0"), std::string::npos);
}

TEST_F(EdgeConfigTest, SecretsComeFromFilesAndVariables) {
  EXPECT_EQ(*resolve_secret("file:key", folder_), "c2VjcmV0");
  EXPECT_EQ(*resolve_secret("file:" + (folder_ / "key").string(), "/"), "c2VjcmV0");
  setenv("HOLDFAST_TEST_SECRET", "hush", 1);
  EXPECT_EQ(*resolve_secret("env:HOLDFAST_TEST_SECRET", "/"), "hush");
  std::ofstream(folder_ / "empty") << "\n";
  EXPECT_FALSE(resolve_secret("file:empty", folder_));
}

}  // namespace
}  // namespace holdfast
