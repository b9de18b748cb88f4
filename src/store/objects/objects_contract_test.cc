// What every object store keeps to, on disk and in memory.
#include "store/objects/memory_objects.h"
#include "store/objects/testing.h"

namespace holdfast::store {
namespace {

struct ObjectContract : testing::TestWithParam<bool>, ObjectRig {
  void SetUp() override {
    if (GetParam()) {
      database = *open_sqlite({":memory:"});
      objects = *open_memory_objects(*database);
      return;
    }
    database = *open_sqlite({folder.path / "s.db"});
    FileObjectsOptions options;
    options.directory = folder.path / "content";
    options.segment_limit = 10'000;
    options.small_limit = 4000;
    objects = *open_file_objects(options, *database);
  }
};

TEST_P(ObjectContract, EverySizeComesBack) {
  std::vector<std::pair<ContentId, std::string>> all;
  for (size_t size : {0u, 1u, 999u, 4000u, 4001u, 50'000u})
    all.emplace_back(put(text(size, 'a')), text(size, 'a'));
  for (const auto& [id, bytes] : all) {
    EXPECT_EQ(read(*find(id)), bytes);
    EXPECT_TRUE(run_task(objects->verify(id)));
  }
}

TEST_P(ObjectContract, AReadEndsWhereTheContentDoes) {
  for (const size_t size : {0u, 10u, 9000u}) {
    const auto content = *find(put(text(size, 'a')));
    std::vector<std::byte> room(20'000);
    EXPECT_EQ(*run_task(content->read(0, room)), size);
    EXPECT_EQ(*run_task(content->read(size, room)), 0u);
    if (size > 0) EXPECT_EQ(*run_task(content->read(size - 1, room)), 1u);
    EXPECT_FALSE(content->read_now(0, room));
  }
}

TEST_P(ObjectContract, ConcatenationSharesTheBytesAndReadsAcross) {
  const ContentId a = put(text(3000, 'a')), b = put(text(9000, 'b'));
  const ContentId whole =
      *write([this, a, b](Tx& tx) { return objects->concatenate(tx, {a, b, a}); });
  const std::string expected = text(3000, 'a') + text(9000, 'b') + text(3000, 'a');
  EXPECT_EQ(read(*find(whole)), expected);
  EXPECT_EQ(read(*find(whole), 2990, 9020), expected.substr(2990, 9020));
  release(a);
  release(b);
  EXPECT_EQ(*run_task(objects->sweep()), 0u);
  EXPECT_EQ(read(*find(whole)), expected);
  release(whole);
  EXPECT_EQ(*run_task(objects->sweep()), 12'000u);
  EXPECT_EQ(find(whole).error().code(), Code::not_found);
}

TEST_P(ObjectContract, AReaderKeepsWhatItOpened) {
  const ContentId id = put(text(20'000, 'a'));
  const auto open_content = *find(id);
  release(id);
  ASSERT_TRUE(run_task(objects->sweep()));
  EXPECT_EQ(find(id).error().code(), Code::not_found);
  EXPECT_EQ(read(open_content), text(20'000, 'a'));
}

TEST_P(ObjectContract, WhatIsNotThereIsNotFound) {
  constexpr auto nothing = static_cast<ContentId>(4711);
  EXPECT_EQ(find(nothing).error().code(), Code::not_found);
  EXPECT_EQ(run_task(objects->verify(nothing)).error().code(), Code::not_found);
  for (auto call : {&ObjectStore::retain, &ObjectStore::release})
    EXPECT_EQ(
        write([this, call](Tx& tx) { return (objects.get()->*call)(tx, nothing); }).error().code(),
        Code::not_found);
  EXPECT_EQ(write([this](Tx& tx) { return objects->concatenate(tx, {nothing}); }).error().code(),
            Code::not_found);
}

TEST_P(ObjectContract, WhatIsAddedInAFailedWriteIsNotThere) {
  const StagedContent staged = stage(text(100, 'a'));
  ContentId made{};
  const auto done = write([&, this](Tx& tx) -> Result<void> {
    TRY(made, objects->add(tx, staged));
    return fail(Code::conflict, "no");
  });
  EXPECT_EQ(done.error().code(), Code::conflict);
  EXPECT_EQ(find(made).error().code(), Code::not_found);
}

TEST_P(ObjectContract, EveryCallCanBeMadeToFail) {
  const ContentId id = put(text(10, 'a'));
  FailingObjects failing(*objects);
  const Error full(Code::unavailable, "the disk is full");
  failing.fail_next(full);
  EXPECT_EQ(run_task(failing.create(10)).error().code(), Code::unavailable);
  const auto writer = *run_task(failing.create(10));
  failing.fail_next(full);
  EXPECT_EQ(run_task(writer->append(as_bytes(std::string_view("x")))).error().code(),
            Code::unavailable);
  failing.fail_next(full);
  EXPECT_EQ(run_task(writer->finish()).error().code(), Code::unavailable);
  failing.fail_next(full);
  EXPECT_EQ(write([&](Tx& tx) { return failing.release(tx, id); }).error().code(),
            Code::unavailable);
  failing.fail_next(full);
  EXPECT_EQ(run_task(failing.verify(id)).error().code(), Code::unavailable);
  EXPECT_TRUE(run_task(failing.verify(id)));
}

INSTANTIATE_TEST_SUITE_P(Backends, ObjectContract, testing::Bool(),
                         [](const auto& info) { return info.param ? "memory" : "file"; });

}  // namespace
}  // namespace holdfast::store
