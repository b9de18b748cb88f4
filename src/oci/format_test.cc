// Digests, references, manifests and image configurations against the texts of the specifications.
#include <gtest/gtest.h>

#include "oci/manifest.h"
#include "oci/reference.h"

namespace holdfast::oci {
namespace {

const std::string kEmptyJson =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

TEST(Digest, IsTheSpecificationsOfTheEmptyObject) {
  EXPECT_EQ(Digest::sha256(as_bytes("{}")).str(), kEmptyJson);
  const auto parsed = Digest::parse(kEmptyJson);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->hex().size(), 64u);
  DigestHasher hasher(HashKind::sha512);
  hasher.update(as_bytes("abc"));
  EXPECT_EQ(hasher.finish().str(),
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Digest, RefusesWhatIsNone) {
  const std::string hex(64, 'a');
  for (const std::string& text :
       {std::string(), std::string("sha256:"), "sha256:" + hex + "a", "sha256:" + hex.substr(1),
        "SHA256:" + hex, "sha256:" + std::string(64, 'A'), "sha384:" + hex, "sha512:" + hex,
        "sha256:../" + hex.substr(3), hex}) {
    const auto parsed = Digest::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().reason(), "digest_invalid");
  }
}

TEST(Reference, TakesTheFormsThatPeopleWrite) {
  struct Row {
    std::string text, host, name, tag;
    bool digest;
  };
  const std::string at = "@" + kEmptyJson;
  const Row rows[] = {
      {"digits", "", "digits", "", false},
      {"models/digits:2", "", "models/digits", "2", false},
      {"models/digits" + at, "", "models/digits", "", true},
      {"localhost/a", "localhost", "a", "", false},
      {"127.0.0.1:8080/models/digits:latest", "127.0.0.1:8080", "models/digits", "latest", false},
      {"hub.example/a_b/c--d.e__f:v1" + at, "hub.example", "a_b/c--d.e__f", "v1", true}};
  for (const Row& row : rows) {
    const auto parsed = parse_reference(row.text);
    ASSERT_TRUE(parsed) << row.text << ": " << parsed.error().message();
    EXPECT_EQ(parsed->host, row.host);
    EXPECT_EQ(parsed->name, row.name);
    EXPECT_EQ(parsed->tag, row.tag);
    EXPECT_EQ(!parsed->digest.empty(), row.digest);
    EXPECT_EQ(parsed->str(), row.text);
  }
  EXPECT_EQ(parse_reference("digits")->manifest(), "latest");
  EXPECT_EQ(parse_reference("digits:1" + at)->manifest(), kEmptyJson);
}

TEST(Reference, RefusesTheRest) {
  for (const std::string& text :
       {std::string(), std::string("Models/digits"), std::string("a//b"), std::string("/a"),
        std::string("a/"), std::string("a___b"), std::string("a..b"), std::string("-a"),
        std::string("a._b"), std::string("a:"), std::string("a:-x"), std::string("a:x y"),
        "a:" + std::string(129, 't'), std::string(256, 'n'), std::string("a@sha256:12"),
        std::string("a/../b"), std::string("ho$t.example/a")})
    EXPECT_FALSE(parse_reference(text)) << text;
}

// The example of image-spec 1.1, manifest.md.
const std::string kSpecManifest = R"({"schemaVersion":2,
"mediaType":"application/vnd.oci.image.manifest.v1+json",
"config":{"mediaType":"application/vnd.oci.image.config.v1+json",
"digest":"sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7","size":7023},
"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",
"digest":"sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0","size":32654}],
"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json",
"digest":"sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270","size":7682},
"annotations":{"com.example.key2":"value2","com.example.key1":"value1"}})";

TEST(Manifest, ReadsTheSpecificationsExampleAndWritesItTheSame) {
  const auto manifest = parse_manifest(kSpecManifest, media::kManifest);
  ASSERT_TRUE(manifest) << manifest.error().message();
  const oci::Descriptor config = manifest->config.value_or(oci::Descriptor());
  const oci::Descriptor subject = manifest->subject.value_or(oci::Descriptor());
  EXPECT_EQ(config.size, 7023u);
  ASSERT_EQ(manifest->layers.size(), 1u);
  EXPECT_EQ(subject.digest.hex().substr(0, 6), "5b0bca");
  EXPECT_EQ(manifest->listed_artifact_type(), media::kConfig);
  const std::string once = write_manifest(*manifest);
  EXPECT_EQ(write_manifest(*parse_manifest(once, "")), once);
  EXPECT_LT(once.find("com.example.key1"), once.find("com.example.key2"));
  EXPECT_EQ(Digest::sha256(as_bytes(once)).str(),
            "sha256:e537b90715fa4aab6660d6edb99a8e216e7a622868d058a167a9d4505f82b7bf");
}

TEST(Manifest, ReadsAnIndexWithPlatforms) {
  const std::string text =
      R"({"schemaVersion":2,"manifests":[{
    "mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":")" +
      kEmptyJson + R"(","platform":{"architecture":"arm64","os":"linux","variant":"v8"}}]})";
  const auto index = parse_manifest(text, std::string(media::kIndex) + "; charset=utf-8");
  ASSERT_TRUE(index) << index.error().message();
  EXPECT_TRUE(index->is_index());
  EXPECT_EQ(index->manifests.front().platform.value_or(Platform()).variant, "v8");
  EXPECT_EQ(index->listed_artifact_type(), "");
}

TEST(Manifest, RefusesWhatIsNotOne) {
  const std::string config =
      R"("config":{"mediaType":"a/b","size":2,"digest":")" + kEmptyJson + "\"}";
  const std::string head =
      R"({"schemaVersion":2,"mediaType":")" + std::string(media::kManifest) + "\"";
  const std::string rows[] = {
      "",
      "[]",
      "{",
      "{}",
      R"({"schemaVersion":1})",
      head + "}",
      head + "," + config + "}",
      head + R"(,"layers":[]})",
      head + "," + config + R"(,"layers":{}})",
      head + "," + config + R"(,"layers":[{"mediaType":"a/b","size":-1,"digest":")" + kEmptyJson +
          "\"}]}",
      head + "," + config + R"(,"layers":[{"mediaType":"a/b","size":1,"digest":"sha256:1"}]})",
      head + "," + config + R"(,"layers":[],"annotations":{"a":1}})",
      head + "," + config + R"(,"layers":[],"manifests":[]})",
      R"({"schemaVersion":2,"mediaType":"text/plain"})",
      std::string(100, '[')};
  for (const std::string& text : rows) {
    const auto manifest = parse_manifest(text, "");
    ASSERT_FALSE(manifest) << text;
    EXPECT_EQ(manifest.error().code(), Code::invalid_argument);
  }
  EXPECT_FALSE(parse_manifest(kSpecManifest, media::kIndex));  // sent as another type
}

TEST(ImageConfig, KeepsWhatARuntimeNeeds) {
  ImageConfig config;
  config.created = "2026-11-24T12:00:00Z";
  config.user = "65532:65532";
  config.entrypoint = {"/holdfast-serve"};
  config.cmd = {"--config", "x"};
  config.exposed_ports = {"8000/tcp"};
  config.env = {"A=b"};
  config.labels = {{"k", "v"}};
  config.diff_ids = {*Digest::parse(kEmptyJson)};
  config.history = {"made"};
  const std::string text = write_image_config(config);
  EXPECT_EQ(text,
            R"({"created":"2026-11-24T12:00:00Z","architecture":"amd64","os":"linux","config":)"
            R"({"User":"65532:65532","ExposedPorts":{"8000/tcp":{}},"Env":["A=b"],)"
            R"("Entrypoint":["/holdfast-serve"],"Cmd":["--config","x"],"Labels":{"k":"v"}},)"
            R"("rootfs":{"type":"layers","diff_ids":[")" +
                kEmptyJson +
                R"("]},"history":[{"created":"2026-11-24T12:00:00Z","created_by":"made"}]})");
  const auto read = parse_image_config(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(write_image_config(*read), text);
  EXPECT_FALSE(parse_image_config(R"({"architecture":"amd64","os":"linux"})"));
}

}  // namespace
}  // namespace holdfast::oci
