#include "store/objects/page_map.h"

#include <random>

#include "store/objects/memory_objects.h"
#include "store/objects/testing.h"

namespace holdfast::store {
namespace {

struct PageMaps : testing::Test, ObjectRig {
  void SetUp() override {
    database = *open_sqlite({":memory:"});
    objects = *open_memory_objects(*database);
  }
  ContentId make() {
    return *write([](Tx& tx) { return page_map::make(tx); });
  }
  // With the bytes, or zeroes where there are none.
  ContentId replace(ContentId map, uint64_t first, const std::string& bytes, uint64_t zeroes = 0) {
    std::optional<StagedContent> staged;
    if (zeroes == 0) staged = stage(bytes);
    return *write([=, this](Tx& tx) -> Result<ContentId> {
      if (!staged) return page_map::replace(tx, map, first, zeroes, std::nullopt);
      TRY(const ContentId by, objects->add(tx, *staged));
      TRY(const ContentId made, page_map::replace(tx, map, first, bytes.size(), by));
      TRY_VOID(objects->release(tx, by));
      return made;
    });
  }
  std::shared_ptr<OpenContent> open(ContentId map, uint64_t size, uint64_t first = 0,
                                    uint64_t end = page_map::kEnd) {
    auto work = [=, this](Tx& tx) { return page_map::open(tx, *objects, map, size, first, end); };
    return *run_task(database->read(std::move(work)));
  }
  // "first+size" of each, and "…first" of the next.
  std::string stretches(ContentId map, uint64_t first = 0, uint64_t end = page_map::kEnd,
                        size_t limit = 1000) {
    auto work = [=](Tx& tx) { return page_map::stretches(tx, map, first, end, limit); };
    const auto found = run_task(database->read(std::move(work)));
    std::string out;
    for (const auto& item : found->items)
      out += std::to_string(item.first) + "+" + std::to_string(item.size) + " ";
    if (found->more) out += "…" + std::to_string(*found->more);
    return out;
  }
  // "=" before what is written, "-" before what is a hole now.
  std::string changes(ContentId before, ContentId map, size_t limit = 1000, uint64_t first = 0) {
    auto work = [=](Tx& tx) { return page_map::changes(tx, before, map, first, 1 << 20, limit); };
    const auto found = run_task(database->read(std::move(work)));
    std::string out;
    for (const auto& item : found->items)
      out += (item.cleared ? "-" : "=") + std::to_string(item.first) + "+" +
             std::to_string(item.size) + " ";
    if (found->more) out += "…" + std::to_string(*found->more);
    return out;
  }
  void retain(ContentId map) {
    EXPECT_TRUE(write([=, this](Tx& tx) -> Result<ContentId> {
      TRY_VOID(objects->retain(tx, map));
      return map;
    }));
  }
  int64_t count(std::string_view sql) {
    int64_t out = 0;
    EXPECT_TRUE(database->write_now([&](Tx& tx) {
      return tx.each(sql, {}, [&](const Row& row) {
        out = row.integer(0);
        return false;
      });
    }));
    return out;
  }
};

TEST_F(PageMaps, WhatHasChanged) {
  ContentId before = make();
  replace(before, 0, text(4096, 'a'));
  replace(before, 8192, text(1024, 'b'));
  retain(before);
  ContentId map = replace(before, 512, text(512, 'c'));
  ASSERT_NE(map, before);
  EXPECT_EQ(changes(before, map), "=512+512 ");
  replace(map, 1024, "", 512);
  replace(map, 6000, "", 512);  // a hole before, too
  replace(map, 8704, "", 4096);
  replace(map, 20480, text(512, 'd'));
  replace(map, 20992, text(512, 'e'));
  const std::string all = "=512+512 -1024+512 -8704+512 =20480+1024 ";
  EXPECT_EQ(changes(before, map), all);
  EXPECT_EQ(changes(before, map, 2), "=512+512 -1024+512 …8704");
  EXPECT_EQ(changes(before, map, 1000, 8704), "-8704+512 =20480+1024 ");
  EXPECT_EQ(changes(map, before), "=512+1024 =8704+512 -20480+1024 ");
  EXPECT_EQ(changes(map, map), "");
}

TEST_F(PageMaps, ManyChangesComeInOrder) {
  ContentId before = make();
  for (uint64_t i = 0; i < 500; ++i) replace(before, i * 1024, text(512, 'a'));
  retain(before);
  ContentId map = before;
  std::string wanted;
  for (uint64_t i = 0; i < 500; i += 7) {
    map = replace(map, i * 1024, i % 2 == 0 ? text(512, 'b') : "", i % 2 == 0 ? 0 : 512);
    wanted += (i % 2 == 0 ? "=" : "-") + std::to_string(i * 1024) + "+512 ";
  }
  EXPECT_EQ(changes(before, map), wanted);
}

TEST_F(PageMaps, HolesAreZeroes) {
  const ContentId map = make();
  EXPECT_EQ(read(open(map, 5000)), std::string(5000, '\0'));
  ASSERT_EQ(replace(map, 1000, text(500, 'a')), map);
  const std::string wanted = std::string(1000, '\0') + text(500, 'a') + std::string(3500, '\0');
  EXPECT_EQ(read(open(map, 5000)), wanted);
  EXPECT_EQ(read(open(map, 5000, 1200, 1600), 1200, 400), wanted.substr(1200, 400));
  EXPECT_FALSE(run_task(open(map, 5000, 1200, 1600)->read(0, {})));
}

TEST_F(PageMaps, WhatIsSharedIsNotChanged) {
  const ContentId map = make();
  replace(map, 0, text(4000, 'a'));
  ASSERT_TRUE(write([&](Tx& tx) { return objects->retain(tx, map); }));
  const ContentId other = replace(map, 1000, text(1000, 'z'));
  ASSERT_NE(other, map);
  EXPECT_EQ(read(open(map, 4000)), text(4000, 'a'));
  std::string wanted = text(4000, 'a');
  wanted.replace(1000, 1000, text(1000, 'z'));
  EXPECT_EQ(read(open(other, 4000)), wanted);
  EXPECT_EQ(replace(map, 0, "", 4000), map) << "it is held once again";
  release(map);
  EXPECT_EQ(*run_task(objects->sweep()), 0u);
  EXPECT_EQ(read(open(other, 4000)), wanted);
  release(other);
  EXPECT_EQ(*run_task(objects->sweep()), 5000u);
  EXPECT_EQ(count("SELECT count(*) FROM content"), 0);
}

TEST_F(PageMaps, AReaderKeepsWhatItOpened) {
  const ContentId map = make();
  replace(map, 100, text(900, 'a'));
  const auto open_content = open(map, 1000);
  replace(map, 0, text(1000, 'b'));
  EXPECT_EQ(*run_task(objects->sweep()), 900u);
  EXPECT_EQ(read(open_content), std::string(100, '\0') + text(900, 'a'));
}

TEST_F(PageMaps, StretchesAreOneWhereTheyMeet) {
  const ContentId map = make();
  replace(map, 0, text(512, 'a'));
  replace(map, 512, text(512, 'b'));
  replace(map, 2048, text(512, 'c'));
  EXPECT_EQ(stretches(map), "0+1024 2048+512 ");
  EXPECT_EQ(stretches(map, 100, 2100), "100+924 2048+52 ");
  EXPECT_EQ(stretches(map, 0, page_map::kEnd, 1), "0+1024 …2048");
  EXPECT_EQ(stretches(map, 1024, 2048), "");
}

TEST_F(PageMaps, AnyHistoryOfWritesReadsAsOneInMemory) {
  constexpr uint64_t kSize = 4000;
  std::mt19937 random(7);
  ContentId map = make();
  std::vector<std::pair<ContentId, std::string>> kept;
  std::string mirror(kSize, '\0'), covered(kSize, '.');
  for (int step = 0; step < 400; ++step) {
    const uint64_t first = random() % kSize, size = 1 + random() % (kSize - first);
    if (random() % 4 == 0) {
      map = replace(map, first, "", size);
      mirror.replace(first, size, std::string(size, '\0'));
      covered.replace(first, size, std::string(size, '.'));
    } else {
      const std::string bytes = text(size, static_cast<char>('A' + random() % 40));
      map = replace(map, first, bytes);
      mirror.replace(first, size, bytes);
      covered.replace(first, size, std::string(size, '#'));
    }
    ASSERT_EQ(read(open(map, kSize)), mirror) << step;
    const uint64_t from = random() % kSize, to = from + 1 + random() % (kSize - from);
    ASSERT_EQ(read(open(map, kSize, from, to), from, to - from), mirror.substr(from, to - from));
    std::string wanted;
    for (size_t i = 0; i < kSize;) {
      const size_t end = std::min(covered.find_first_not_of(covered[i], i), size_t{kSize});
      if (covered[i] == '#') wanted += std::to_string(i) + "+" + std::to_string(end - i) + " ";
      i = end;
    }
    ASSERT_EQ(stretches(map), wanted) << step;
    if (step % 37 == 0) {
      ASSERT_TRUE(write([&](Tx& tx) { return objects->retain(tx, map); }));
      kept.emplace_back(map, mirror);
    }
    if (step % 50 == 0) {
      ASSERT_TRUE(run_task(objects->sweep()));
    }
  }
  for (const auto& [id, bytes] : kept) EXPECT_EQ(read(open(id, kSize)), bytes);
  for (const auto& [id, bytes] : kept) release(id);
  release(map);
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_EQ(count("SELECT count(*) FROM content"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM content_stretch"), 0);
}

TEST_F(PageMaps, ATebibyteCostsWhatIsWritten) {
  constexpr uint64_t kSize = 1ull << 40;
  const ContentId map = make();
  replace(map, kSize - 512, text(512, 'a'));
  replace(map, kSize / 2, text(512, 'b'));
  const auto whole = open(map, kSize);
  EXPECT_EQ(read(whole, kSize - 600, 600), std::string(88, '\0') + text(512, 'a'));
  uint64_t size = 0;
  const auto extents = whole->ranges(0, kSize);
  for (const http::FileRange& extent : extents) size += extent.size;
  EXPECT_EQ(size, kSize);
  EXPECT_EQ(extents.size(), 4u);
  char zero = 'x';
  EXPECT_EQ(::pread(extents[0].fd->get(), &zero, 1, static_cast<off_t>(extents[0].size - 1)), 1);
  EXPECT_EQ(zero, '\0');
  replace(map, 0, "", page_map::kEnd);
  EXPECT_EQ(stretches(map), "");
  EXPECT_EQ(*run_task(objects->sweep()), 1024u);
}

TEST_F(PageMaps, AreNotReadAsOtherContents) {
  const ContentId map = make();
  EXPECT_EQ(find(map).error().code(), Code::internal);
  EXPECT_EQ(write([](Tx& tx) { return page_map::replace(tx, ContentId{4711}, 0, 1, std::nullopt); })
                .error()
                .code(),
            Code::not_found);
}

}  // namespace
}  // namespace holdfast::store
