// Stored bytes that changed: every flip of a bit is found, nothing that changed is served.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/digest.h"
#include "store/objects/content_body.h"
#include "store/objects/testing.h"

namespace holdfast::store {
namespace {

namespace fs = std::filesystem;

struct DamageTest : testing::Test, ObjectRig {
  std::map<ContentId, std::string> all;
  std::mt19937_64 random{20261126};

  void SetUp() override {
    open();
    for (size_t size : {1u, 999u, 4000u, 4001u, 65'536u, 65'537u, 70'000u, 1'300'000u}) {
      std::string bytes(size, '\0');
      for (char& c : bytes) c = static_cast<char>(random());
      all[put(bytes)] = bytes;
    }
    const auto first = all.begin()->first, last = all.rbegin()->first;
    const ContentId list =
        *write([&](Tx& tx) { return objects->concatenate(tx, {last, first, last}); });
    all[list] = all[last] + all[first] + all[last];
    open();  // no file has more than contents
  }
  void open() {
    objects.reset();
    database.reset();
    database = *open_sqlite({folder.path / "s.db"});
    objects = *open_file_objects({folder.path / "content", 10'000, 4000}, *database);
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const char* part : {"content/segments", "content/files"})
      for (const auto& entry : fs::recursive_directory_iterator(folder.path / part))
        if (entry.is_regular_file() && entry.file_size() > 0) out.push_back(entry.path());
    std::ranges::sort(out);
    return out;
  }
  static void flip(const fs::path& path, uint64_t bit) {
    const Fd fd = *open_file(path, O_RDWR);
    char byte = 0;
    ASSERT_EQ(::pread(fd.get(), &byte, 1, static_cast<off_t>(bit / 8)), 1);
    byte = static_cast<char>(byte ^ (1 << (bit % 8)));
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, static_cast<off_t>(bit / 8)), 1);
  }
  // As a connection sends it; what went out before it was cut.
  static std::pair<std::string, bool> sent(const std::shared_ptr<OpenContent>& content,
                                           uint64_t first, uint64_t size) {
    http::Response response;
    if (!set_body(response, content, first, size)) return {"", false};
    if (auto* whole = std::get_if<std::string>(&response.body)) return {*whole, true};
    std::string out;
    for (const auto& range : std::get<http::FileRanges>(response.body)) {
      for (uint64_t at = 0; at < range.size;) {
        const auto good = range.check->passed(range.offset + at, range.size - at);
        if (!good) return {out, false};
        std::string piece(*good, '\0');
        if (!read_exact(range.fd->get(), std::as_writable_bytes(std::span(piece)),
                        range.offset + at))
          return {out, false};
        out += piece;
        at += *good;
      }
    }
    return {out, true};
  }
  // How many contents can not be read whole; none gives a wrong byte, by any way.
  size_t unreadable() {
    size_t count = 0;
    for (const auto& [id, bytes] : all) {
      const auto found = find(id);
      if (!found) {
        EXPECT_EQ(found.error().code(), Code::internal);
        ++count;
        continue;
      }
      const auto [out, complete] = sent(*found, 0, bytes.size());
      EXPECT_EQ(out, bytes.substr(0, out.size()));
      EXPECT_EQ(complete, out.size() == bytes.size());
      std::string read(bytes.size(), '\0');
      const auto done = run_task((*found)->read(0, std::as_writable_bytes(std::span(read))));
      EXPECT_EQ(done.has_value(), complete);
      if (done) EXPECT_EQ(read, bytes);
      if (!done) EXPECT_EQ(done.error().reason(), "content_damaged");
      const uint64_t from = random() % bytes.size(), size = 1 + random() % (bytes.size() - from);
      const auto [part, _] = sent(*found, from, size);
      EXPECT_EQ(part, bytes.substr(from, part.size()));
      EXPECT_EQ(run_task(objects->verify(id)).has_value(), complete);
      count += complete ? 0 : 1;
    }
    return count;
  }
};

TEST_F(DamageTest, EveryFlippedBitIsFoundAndNoneIsServed) {
  ASSERT_EQ(unreadable(), 0u);
  const auto paths = files();
  ASSERT_EQ(paths.size(), 6u);  // the small ones share a segment
  for (int trial = 0; trial < 200; ++trial) {
    const fs::path& path = paths[random() % paths.size()];
    const uint64_t bit = random() % (fs::file_size(path) * 8);
    flip(path, bit);
    EXPECT_GE(unreadable(), 1u) << path << " bit " << bit;
    flip(path, bit);
  }
  EXPECT_EQ(unreadable(), 0u);
}

TEST_F(DamageTest, ACutFileAndAMissingOneAreDamage) {
  for (const fs::path& path : files()) {
    const std::string kept = *read_file(path);
    for (uint64_t size : {uint64_t{0}, kept.size() / 2, kept.size() - 1}) {
      fs::resize_file(path, size);
      EXPECT_GE(unreadable(), 1u) << path << " cut to " << size;
      ASSERT_TRUE(write_all(open_file(path, O_RDWR)->get(), as_bytes(kept), 0));
    }
    EXPECT_EQ(unreadable(), 0u);
    open();  // descriptors of segments are kept
    fs::rename(path, folder.path / "away");
    EXPECT_GE(unreadable(), 1u);
    fs::rename(folder.path / "away", path);
  }
}

TEST_F(DamageTest, DamageIsOnRecordUntilItsContentGoes) {
  EXPECT_TRUE(run_task(objects->damages(100))->empty());
  const ContentId large = std::prev(all.end(), 2)->first;
  for (const fs::path& path : files())
    if (fs::file_size(path) > 1'000'000) flip(path, 8ull * 900'000);
  unreadable();
  unreadable();
  objects.reset();  // what was told is written by then
  open();
  const auto found = *run_task(objects->damages(100));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].content, large);
  EXPECT_EQ(found[0].at, 851'968u);  // its block
  EXPECT_NE(found[0].what, "");
  release(std::prev(all.end())->first);
  release(large);
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_TRUE(run_task(objects->damages(100))->empty());
}

// A file of the first format has no table, and one CRC-32 in its row.
TEST_F(DamageTest, ContentsOfTheFirstFormatAreChecked) {
  for (const auto& [id, bytes] : all) {
    const auto crc = crc32(as_bytes(bytes));
    ASSERT_TRUE(write([id, crc](Tx& tx) {
      return tx.run("UPDATE content SET sum = 0, crc = ? WHERE id = ?",
                    {int64_t{crc}, static_cast<int64_t>(id)});
    }));
  }
  EXPECT_EQ(unreadable(), 0u);
  for (const fs::path& path : files()) {
    const uint64_t bit = random() % (fs::file_size(path) / 2 * 8);  // not in what is a table now
    flip(path, bit);
    EXPECT_GE(unreadable(), 1u);
    flip(path, bit);
  }
}

}  // namespace
}  // namespace holdfast::store
