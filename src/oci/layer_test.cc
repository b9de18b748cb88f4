// Tar, gzip, layers and the image layout: golden bytes, and archives that mean harm.
#include <gtest/gtest.h>

#include "base/files.h"
#include "oci/image_layout.h"
#include "oci/layer.h"
#include "oci/tar_header.h"
#include "oci/testing.h"

namespace holdfast::oci {
namespace {

std::string tar_of(std::vector<TarEntry> entries) {
  std::string out;
  const auto written = write_tar(std::move(entries), [&](ByteView bytes) -> Result<void> {
    out += as_text(bytes);
    return {};
  });
  EXPECT_TRUE(written) << written.error().message();
  return out;
}

ByteReader reader_of(std::string bytes, size_t most = 1000) {
  return [bytes = std::move(bytes), most, at = size_t{0}](std::span<std::byte> into) mutable {
    const size_t count = std::min({into.size(), most, bytes.size() - at});
    std::copy_n(as_bytes(bytes).begin() + static_cast<ptrdiff_t>(at), count, into.begin());
    at += count;
    return Result<size_t>(count);
  };
}

struct Seen {
  std::vector<TarMember> members;
  std::vector<std::string> bytes;
  Result<void> result;
};
Seen read_back(ByteReader source, TarLimits limits = {}) {
  Seen seen;
  const TarVisitor visit = [&](const TarMember& member, const ByteReader& reader) -> Result<void> {
    std::string text, piece(1000, '\0');
    for (;;) {
      TRY(const size_t count, reader(std::as_writable_bytes(std::span(piece))));
      if (count == 0) break;
      text += piece.substr(0, count);
    }
    seen.members.push_back(member);
    seen.bytes.push_back(std::move(text));
    return {};
  };
  seen.result = read_tar(source, limits, visit);
  return seen;
}

TarEntry symlink(std::string path, std::string to) {
  TarEntry entry;
  entry.kind = TarKind::symlink;
  entry.path = std::move(path);
  entry.link = std::move(to);
  entry.mode = 0777;
  return entry;
}

std::vector<TarEntry> sample() {
  return {
      symlink("lnk", "bin/tool"), tar_file("bin/tool", "#!/bin/sh\n", 0755),
      tar_file(std::string(60, 'd') + "/" + std::string(60, 'e') + "/f", std::string(513, 'x'))};
}

// The digest is that of what Python's tarfile (USTAR_FORMAT) writes of the same entries.
TEST(TarWriter, WritesTheBytesOfAnotherWriter) {
  EXPECT_EQ(sha256_hex(as_bytes(tar_of(sample()))),
            "a613b4f9c6e8b99ca46ed02c4de4a30165cfb1d3d4c74bb28001e3bfc7a06103");
}

TEST(TarWriter, OrderOfEntriesDoesNotMatter) {
  auto entries = sample();
  std::swap(entries[0], entries[2]);
  EXPECT_EQ(tar_of(std::move(entries)), tar_of(sample()));
}

TEST(TarWriter, LongNamesComeBackWhole) {
  const std::string component(200, 'n');
  const std::string path = component + "/" + component, link = component + "/" + component;
  const Seen seen = read_back(reader_of(tar_of({tar_file(path, "abc"), symlink("l", link)})));
  ASSERT_TRUE(seen.result) << seen.result.error().message();
  ASSERT_EQ(seen.members.size(), 3u);
  EXPECT_EQ(seen.members[0].path, "l");
  EXPECT_EQ(seen.members[0].link, link);
  EXPECT_EQ(seen.members[1].path, component);
  EXPECT_EQ(seen.members[1].kind, TarKind::directory);
  EXPECT_EQ(seen.members[2].path, path);
  EXPECT_EQ(seen.bytes[2], "abc");
}

TEST(TarWriter, RefusesPathsThatLeadOut) {
  const ByteSink nowhere = [](ByteView) -> Result<void> { return {}; };
  for (const char* path : {"/etc/passwd", "../x", "a/../b", "", "a//b", "a/"})
    EXPECT_FALSE(write_tar({tar_file(path, "")}, nowhere)) << path;
  EXPECT_FALSE(write_tar({tar_file("a", ""), tar_file("a", "")}, nowhere));
}

// A member that the writer would not make, with a right checksum; no end follows it.
std::string raw(const std::string& name, char type, const std::string& bytes,
                const std::string& size_field = "") {
  std::string out = tar_of({tar_file("x", bytes)});
  out.resize(out.size() - 2 * kBlock);
  Block block;
  std::copy_n(out.begin(), kBlock, block.begin());
  std::fill_n(block.begin(), kName.size, '\0');
  std::copy_n(name.begin(), std::min(name.size(), kName.size), block.begin());
  block[kType.offset] = type;
  std::copy(size_field.begin(), size_field.end(), block.begin() + kSize.offset);
  uint64_t value = checksum(block);
  for (size_t i = 6; i-- > 0; value >>= 3)
    block[kSum.offset + i] = static_cast<char>('0' + (value & 7));
  std::copy(block.begin(), block.end(), out.begin());
  return out;
}

TEST(TarReader, RefusesHostileArchives) {
  const std::string good = tar_of({tar_file("a", "bytes")});
  std::string flipped = good;
  flipped[3] ^= 1;
  std::string twice = good.substr(0, 1024) + good;
  const std::pair<const char*, std::string> rows[] = {
      {"absolute", raw("/etc/passwd", '0', "x") + good},
      {"parent", raw("../../etc/passwd", '0', "x") + good},
      {"parent inside", raw("a/../../b", '0', "x") + good},
      {"device", raw("dev", '3', "") + good},
      {"fifo", raw("pipe", '6', "") + good},
      {"sparse", raw("s", 'S', "") + good},
      {"directory with bytes", raw("d", '5', "x") + good},
      {"pax path leads out", raw("p", 'x', "19 path=../../../x\n") + good},
      {"pax length lies", raw("p", 'x', "99 path=abc\n") + good},
      {"pax length zero", raw("p", 'x', "0 path=abc\n") + good},
      {"pax size lies", raw("p", 'x', "13 size=9999\n") + good},
      {"pax sparse", raw("p", 'x', "22 GNU.sparse.major=1\n") + good},
      {"gnu long name leads out", raw("././@LongLink", 'L', "../../etc/cron.d/x") + good},
      {"checksum", flipped},
      {"repeated", twice},
      {"cut in a header", good.substr(0, 100)},
      {"cut in bytes", good.substr(0, 514)},
      {"no end", good.substr(0, 1024)},
      {"empty", ""},
      {"size not octal", raw("a", '0', "x", "99999999999") + good},
      {"size huge", raw("a", '0', "x", "77777777777") + good},
      {"size base-256 huge",
       raw("a", '0', "x", std::string("\x80\xff\xff\xff\xff\xff\xff\xff", 8))},
  };
  for (const auto& [what, bytes] : rows) {
    const Seen seen = read_back(reader_of(bytes));
    EXPECT_FALSE(seen.result) << what;
    for (const TarMember& member : seen.members)
      EXPECT_TRUE(safe_relative_path(member.path)) << what;
  }
}

TEST(TarReader, KeepsItsLimits) {
  std::vector<TarEntry> many;
  many.reserve(20);
  for (int i = 0; i < 20; ++i) many.push_back(tar_file("f" + std::to_string(i), ""));
  TarLimits few;
  few.entries = 10;
  auto seen = read_back(reader_of(tar_of(many)), few);
  ASSERT_FALSE(seen.result);
  EXPECT_EQ(seen.result.error().code(), Code::too_large);
  TarLimits small;
  small.bytes = 4096;
  seen = read_back(reader_of(tar_of({tar_file("f", std::string(5000, 'x'))})), small);
  ASSERT_FALSE(seen.result);
  EXPECT_EQ(seen.result.error().code(), Code::too_large);
}

TEST(Layer, SameContentSameDigestAndReadsBack) {
  const Folder folder;
  const auto one = write_layer(sample(), folder.path / "one");
  const auto two = write_layer(sample(), folder.path / "two");
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->descriptor.digest, two->descriptor.digest);
  EXPECT_EQ(one->diff_id.hex(), "a613b4f9c6e8b99ca46ed02c4de4a30165cfb1d3d4c74bb28001e3bfc7a06103");
  EXPECT_EQ(*digest_file(one->file), one->descriptor.digest);
  EXPECT_EQ(std::filesystem::file_size(one->file), one->descriptor.size);
  std::vector<std::string> paths;
  const auto read = read_layer(one->file, media::kLayerGzip, {},
                               [&](const TarMember& member, const ByteReader&) -> Result<void> {
                                 paths.push_back(member.path);
                                 return {};
                               });
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(paths.size(), 6u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 2);
}

TEST(Layer, DamagedOrCutGzipIsAnError) {
  const Folder folder;
  const auto layer = write_layer(sample(), folder.path / "l");
  ASSERT_TRUE(layer);
  const std::string bytes = *read_file(layer->file);
  const TarVisitor pass = [](const TarMember&, const ByteReader&) -> Result<void> { return {}; };
  for (size_t cut : {size_t{0}, size_t{5}, bytes.size() / 2, bytes.size() - 9}) {
    const auto file = folder.file("cut", bytes.substr(0, cut));
    EXPECT_FALSE(read_layer(file, media::kLayerGzip, {}, pass)) << cut;
  }
  std::string flipped = bytes;
  flipped[bytes.size() / 2] ^= 0x55;
  EXPECT_FALSE(read_layer(folder.file("flip", flipped), media::kLayerGzip, {}, pass));
  const auto zstd =
      read_layer(layer->file, "application/vnd.oci.image.layer.v1.tar+zstd", {}, pass);
  ASSERT_FALSE(zstd);
  EXPECT_EQ(zstd.error().code(), Code::unsupported);
}

TEST(Layer, AGzipBombEndsAtTheLimit) {
  const Folder folder;
  const auto bomb =
      write_layer({tar_file("zeros", std::string(64 << 20, '\0'))}, folder.path / "b");
  ASSERT_TRUE(bomb);
  EXPECT_LT(bomb->descriptor.size, 1u << 20);
  TarLimits limits;
  limits.bytes = 1 << 20;
  const auto read =
      read_layer(bomb->file, media::kLayerGzip, limits,
                 [](const TarMember&, const ByteReader&) -> Result<void> { return {}; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Code::too_large);
}

TEST(ImageLayout, KeepsBlobsAndTags) {
  const Folder folder;
  auto layout = ImageLayout::create(folder.path / "image");
  ASSERT_TRUE(layout);
  Manifest manifest;
  manifest.config = *layout->put_blob(as_bytes("{}"), std::string(media::kConfig));
  const auto layer = write_layer(sample(), folder.path / "layer");
  ASSERT_TRUE(layout->put_file(layer->file, layer->descriptor.digest));
  EXPECT_FALSE(layout->put_file(layer->file, Digest::sha256(as_bytes("other"))));
  manifest.layers = {layer->descriptor};
  const std::string first = write_manifest(manifest);
  ASSERT_TRUE(layout->put_manifest(first, std::string(media::kManifest), "1"));
  manifest.annotations["a"] = "b";
  ASSERT_TRUE(layout->put_manifest(write_manifest(manifest), std::string(media::kManifest), "1"));
  auto opened = ImageLayout::open(folder.path / "image");
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->index()->manifests.size(), 1u);
  const auto found = opened->resolve("1");
  ASSERT_TRUE(found);
  EXPECT_EQ(*opened->blob(found->digest), write_manifest(manifest));
  EXPECT_FALSE(opened->resolve("2"));
  std::filesystem::resize_file(opened->path_of(found->digest), 3);
  EXPECT_FALSE(opened->blob(found->digest));
}

}  // namespace
}  // namespace holdfast::oci
