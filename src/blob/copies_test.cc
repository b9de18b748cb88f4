// Copies from other servers: what is under way, how it ends, and what is left.
#include <gtest/gtest.h>

#include <atomic>

#include "blob/history.h"
#include "blob/pending_copies.h"
#include "blob/retention.h"
#include "blob/testing.h"
#include "blob/tiers.h"
#include "net/http/testing.h"
#include "net/task_group.h"

namespace holdfast::blob {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kPart = 1000;

struct PendingCopiesTest : testing::Test, TestBlobs {
  const std::string data = store::text(10'500, 'a');
  std::atomic<uint64_t> cut_after{UINT64_MAX};  // of each answer
  std::atomic<uint64_t> stop_at{UINT64_MAX};    // from there on no answer has a byte
  std::atomic<bool> ranges{true}, there{true}, second{false}, other{false};
  std::mutex mutex;
  std::vector<std::string> asked;  // Range and If-Match of each
  http::Router router;
  std::unique_ptr<http::LoopbackServer> server;
  std::unique_ptr<Sources> sources;
  std::unique_ptr<PendingCopies> copies;

  void SetUp() override {
    router.add("GET", "/data", http::Role::anonymous,
               [this](http::Request& request) { return answer_later(request); });
    server = std::make_unique<http::LoopbackServer>(router);
    open();
  }
  void TearDown() override {
    copies.reset();
    sources.reset();  // its connections are bound to the server's threads
  }
  // A second process on the same stores.
  void open() {
    copies.reset();
    restart();
    SourceLimits limits;
    limits.silence = 2000ms;
    sources = std::make_unique<Sources>(*SourceList::parse({"127.0.0.1"}), limits);
    PendingCopiesOptions options;
    options.part = kPart;
    options.at_once = 2;
    options.first_pause = options.longest_pause = 5ms;
    copies = std::make_unique<PendingCopies>(*blobs, *sources, options);
  }

  Task<Result<http::Response>> answer_later(http::Request& request) { co_return answer(request); }
  http::Response answer(http::Request& request) {
    const std::string range(request.headers.get_or("Range", "")),
        match(request.headers.get_or("If-Match", ""));
    {
      const std::lock_guard lock(mutex);
      asked.push_back(range + " " + match);
    }
    const std::string etag = second ? "\"two\"" : "\"one\"";
    if (!there) return http::Response(404);
    if (!match.empty() && match != etag) return http::Response(412);
    const uint64_t first =
        range.empty() || !ranges ? 0 : *parse_u64(range.substr(6, range.find('-') - 6));
    http::Response response(first == 0 ? 200 : 206);
    response.header("ETag", etag);
    if (first > 0)
      response.header("Content-Range", "bytes " + std::to_string(first) + "-" +
                                           std::to_string(data.size() - 1) + "/" +
                                           std::to_string(data.size()));
    const uint64_t most =
        std::min<uint64_t>(cut_after, stop_at - std::min<uint64_t>(first, stop_at));
    const std::string sent = (other ? store::text(data.size(), 'b') : data).substr(first, most);
    response.body = http::StreamBody{std::make_unique<MemorySource>(sent), data.size() - first};
    return response;
  }

  CopySource source() {
    CopySource from;
    from.request.url = server->url("/data");
    from.shown = "http://far/data";
    from.etag = "\"one\"";
    from.size = data.size();
    return from;
  }
  Result<Info> start(std::string name, CopySource from, Conditions conditions = {}) {
    return run_task(copies->start(key(std::move(name)), std::move(from), {}, conditions));
  }
  Result<void> abort(std::string name, std::string id, Conditions conditions = {}) {
    return run_task(copies->abort(key(std::move(name)), std::move(id), conditions));
  }
  static std::string said(const Info& info, std::string_view name) {
    for (const auto& [known, value] : info.copy) {
      if (known == name) return value;
    }
    return "";
  }
  std::string status(std::string name) {
    const auto there_now = info(std::move(name));
    return there_now ? said(*there_now, "status") : reason_of(there_now);
  }
  // Works until `done`.
  void work_until(const std::function<bool()>& done) {
    TaskGroup group;
    for (unsigned slot = 0; slot < copies->slots(); ++slot)
      group.spawn(server->runtime().next_executor(), "copies", copies->work(slot));
    for (int i = 0; i < 10'000 && !done(); ++i) run_task(pause());
    EXPECT_TRUE(done());
    group.cancel();
    run_task(group.join());
  }
  static Task<void> pause() { co_await sleep_for(1ms); }
  void work_out(std::string name) {
    work_until([&] { return status(name) != "pending"; });
  }
  int64_t parts() { return std::stoll(rows("SELECT count(*) FROM pending_copy_part")); }
  // Of the copies nothing is left, and of contents just so many.
  void expect_left(int64_t contents) {
    EXPECT_EQ(rows("SELECT count(*) FROM pending_copy"), "0\n");
    EXPECT_EQ(parts(), 0);
    EXPECT_EQ(contents_after_sweep(), contents);
  }
};

TEST_F(PendingCopiesTest, TheDestinationIsThereAtOnceAndWholeInTheEnd) {
  ASSERT_TRUE(put_blob("x", "before"));
  const auto began = start("x", source());
  ASSERT_TRUE(began) << reason_of(began);
  EXPECT_EQ(bytes("x"), "");
  EXPECT_EQ(status("x"), "pending");
  EXPECT_EQ(said(*info("x"), "progress"), "0/10500");
  work_out("x");
  EXPECT_EQ(status("x"), "success");
  EXPECT_EQ(bytes("x"), data);
  const Info whole = *info("x");
  EXPECT_EQ(said(whole, "id"), said(*began, "id"));
  EXPECT_EQ(said(whole, "progress"), "10500/10500");
  EXPECT_EQ(said(whole, "source"), "http://far/data");
  EXPECT_NE(whole.etag, began->etag);
  const Pairs md5 = {{"Content-MD5", base64(as_bytes(hash(HashKind::md5, as_bytes(data))))}};
  EXPECT_EQ(whole.headers, md5);
  EXPECT_EQ(asked.size(), 1u);
  EXPECT_TRUE(delete_blob("x"));
  expect_left(0);
}

TEST_F(PendingCopiesTest, NothingIsACopyToo) {
  CopySource empty = source();
  empty.size = 0;
  ASSERT_TRUE(start("x", empty));
  work_out("x");
  EXPECT_EQ(status("x"), "success");
  EXPECT_EQ(bytes("x"), "");
}

// Every answer is cut; each gets further, and what came is not asked for again.
TEST_F(PendingCopiesTest, ACutSourceIsAskedForTheRest) {
  cut_after = 2300;
  ASSERT_TRUE(start("x", source()));
  work_out("x");
  EXPECT_EQ(status("x"), "success");
  EXPECT_EQ(bytes("x"), data);
  const std::vector<std::string> expected = {" \"one\"", "bytes=2300- \"one\"",
                                             "bytes=4600- \"one\"", "bytes=6900- \"one\"",
                                             "bytes=9200- \"one\""};
  EXPECT_EQ(asked, expected);
}

TEST_F(PendingCopiesTest, ARestartGoesOnFromTheLastPart) {
  stop_at = 3000;
  ASSERT_TRUE(start("x", source()));
  work_until([&] { return parts() == 3; });
  open();
  EXPECT_EQ(status("x"), "pending");
  {
    const std::lock_guard lock(mutex);
    asked.clear();
  }
  stop_at = UINT64_MAX;
  work_out("x");
  EXPECT_EQ(bytes("x"), data);
  const std::vector<std::string> expected = {"bytes=3000- \"one\""};
  EXPECT_EQ(asked, expected);
  const Pairs md5 = {{"Content-MD5", base64(as_bytes(hash(HashKind::md5, as_bytes(data))))}};
  EXPECT_EQ(info("x")->headers, md5);
}

TEST_F(PendingCopiesTest, WhatCanNotBeCopiedFailsAndSaysWhy) {
  struct Row {
    const char* what;
    std::function<void()> spoil;
    std::string why;
  };
  const Row rows[] = {
      {"changed", [&] { second = true; }, "the source has changed since the copy began"},
      {"gone", [&] { there = false; }, "the source answered 404"},
      {"other bytes", [&] { ranges = !(other = true); },
       "the source has changed since the copy began"},
  };
  for (const Row& row : rows) {
    second = other = false, there = ranges = true;
    stop_at = 2500;
    ASSERT_TRUE(start("x", source()));
    work_until([&] { return parts() == 3; });
    row.spoil();
    stop_at = UINT64_MAX;
    work_out("x");
    EXPECT_EQ(status("x"), "failed") << row.what;
    EXPECT_EQ(said(*info("x"), "description"), row.why) << row.what;
    EXPECT_EQ(bytes("x"), "") << row.what;
    expect_left(1);
  }
}

TEST_F(PendingCopiesTest, TheSumsThatTheRequestNames) {
  const std::string md5 = base64(as_bytes(hash(HashKind::md5, as_bytes(data)))),
                    crc = crc64_text(Crc64::of(as_bytes(data)));
  for (const auto& [name, sum, outcome] :
       {std::tuple("Content-MD5", md5, "success"), std::tuple("x-ms-content-crc64", crc, "success"),
        std::tuple("Content-MD5", crc, "failed"),
        std::tuple("x-ms-content-crc64", md5, "failed")}) {
    CopySource from = source();
    from.sums = {{name, sum}};
    ASSERT_TRUE(start("x", from));
    work_out("x");
    EXPECT_EQ(status("x"), outcome) << name;
  }
}

TEST_F(PendingCopiesTest, PatienceEnds) {
  cut_after = 0;
  ASSERT_TRUE(start("x", source()));
  work_until([&] { return asked.size() >= 3; });
  EXPECT_EQ(status("x"), "pending");
  clock.advance(std::chrono::hours(15 * 24));
  work_out("x");
  EXPECT_EQ(status("x"), "failed");
}

TEST_F(PendingCopiesTest, AnAbortLeavesAnEmptyBlob) {
  EXPECT_EQ(reason_of(abort("x", "id")), "blob_not_found");
  stop_at = 2500;
  const auto began = start("x", source());
  ASSERT_TRUE(began);
  work_until([&] { return parts() == 3; });
  const std::string id = said(*began, "id");
  EXPECT_EQ(reason_of(abort("x", "another")), "copy_id_mismatch");
  LeaseRequest lease;
  lease.action = LeaseRequest::acquire;
  lease.seconds = -1;
  lease.proposed = "c0ffee00-0000-0000-0000-000000000001";
  ASSERT_TRUE(run_task(blobs->lease_blob(key("x"), lease, {})));
  EXPECT_EQ(reason_of(abort("x", id)), "lease_id_missing");
  Conditions holder;
  holder.lease_id = lease.proposed;
  failing_database->fail_next(Error(Code::unavailable, "test_full", "full"));
  EXPECT_EQ(reason_of(abort("x", id, holder)), "test_full");
  EXPECT_EQ(status("x"), "pending");
  EXPECT_EQ(reason_of(abort("x", id, holder)), "");
  EXPECT_EQ(status("x"), "aborted");
  EXPECT_EQ(bytes("x"), "");
  EXPECT_EQ(reason_of(abort("x", id, holder)), "no_pending_copy");
  expect_left(1);
}

TEST_F(PendingCopiesTest, AStartThatFailsLeavesNothing) {
  ASSERT_TRUE(put_blob("x", "before"));
  const std::string before = everything();
  Conditions fresh;
  fresh.if_none_match = Conditions::kAny;
  EXPECT_EQ(reason_of(start("x", source(), fresh)), "blob_exists");
  EXPECT_EQ(reason_of(start("x", source(), create_only())), "overwrite_denied");
  failing_database->fail_next(Error(Code::unavailable, "test_full", "full"));
  EXPECT_EQ(reason_of(start("x", source())), "test_full");
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(rows("SELECT count(*) FROM pending_copy"), "0\n");
}

// Whatever fails below, it is tried again until it is whole.
TEST_F(PendingCopiesTest, FailuresBelowAreOutlived) {
  ASSERT_TRUE(start("x", source()));
  std::atomic<int> failures{0};
  work_until([&] {
    if (failures < 200) {
      ++failures;
      failing_objects->fail_next(Error(Code::unavailable, "test_broken", "broken"));
      failing_database->fail_next(Error(Code::unavailable, "test_full", "full"));
    }
    const auto there_now = info("x");
    return there_now && said(*there_now, "status") == "success";
  });
  const auto open_now = run_task(blobs->open_blob(key("x"), {}));
  ASSERT_TRUE(open_now) << reason_of(open_now);
  EXPECT_EQ(read(open_now->content), data);
  EXPECT_TRUE(delete_blob("x"));
  expect_left(0);
}

TEST_F(PendingCopiesTest, ADiskThatIsFullEndsIt) {
  ASSERT_TRUE(start("x", source()));
  failing_objects->fail_next(Error(Code::unavailable, "disk_full", "the disk is full"));
  work_out("x");
  EXPECT_EQ(status("x"), "failed");
  EXPECT_EQ(said(*info("x"), "description"), "the disk is full");
  expect_left(1);
}

TEST_F(PendingCopiesTest, NobodyElseChangesIt) {
  ASSERT_TRUE(start("x", source()));
  const std::string before = everything();
  History history(*blobs);
  Retention retention(*blobs);
  for (const std::string& outcome : std::initializer_list<std::string>{
           reason_of(put_blob("x", "1")), reason_of(put_block("x", "AAAA", "1")),
           reason_of(put_list("x", {})), reason_of(delete_blob("x")),
           reason_of(run_task(blobs->set_properties(key("x"), Pairs(), std::nullopt, {}))),
           reason_of(run_task(blobs->set_tags(key("x"), {}, {}))),
           reason_of(run_task(Tiers(*blobs).set(key("x"), "Cool", {}))),
           reason_of(run_task(blobs->may_replace(key("x"), {}))),
           reason_of(run_task(blobs->copy_blob(key("x"), key("x"), {}, {}, {}))),
           reason_of(run_task(history.snapshot(key("x"), std::nullopt, {}))),
           reason_of(run_task(retention.set_expiry(key("x"), {Expiry::now, 1000ms, {}}, {}))),
           reason_of(start("x", source()))}) {
    EXPECT_EQ(outcome, "pending_copy");
  }
  EXPECT_EQ(everything(), before);
}

// A policy or a hold is about what will be there; the copy that made it goes on.
TEST_F(PendingCopiesTest, AHoldDoesNotKeepItEmpty) {
  ASSERT_TRUE(start("x", source()));
  Retention retention(*blobs);
  ASSERT_TRUE(run_task(retention.set_hold(key("x"), true)));
  EXPECT_EQ(reason_of(run_task(blobs->delete_container("site1", "c", {}))), "immutable_policy");
  work_out("x");
  EXPECT_EQ(bytes("x"), data);
  EXPECT_EQ(reason_of(delete_blob("x")), "immutable_hold");
}

TEST_F(PendingCopiesTest, ItEndsWithItsContainer) {
  stop_at = 2500;
  for (const auto kept : {0s, 3600s}) {
    blobs->set_settings([kept](std::string_view) {
      AccountSettings settings;
      settings.containers_kept = kept;
      return settings;
    });
    ASSERT_TRUE(start("x", source()));
    work_until([&] { return parts() == 3; });
    ASSERT_TRUE(run_task(blobs->delete_container("site1", "c", {})));
    expect_left(kept.count() == 0 ? 0 : 1);
    make_container("c");
  }
  clock.advance(std::chrono::hours(2));
  ASSERT_TRUE(run_task(blobs->sweep()));
  expect_left(0);
}

// With what it replaced in the history, and itself one version from its start on.
TEST_F(PendingCopiesTest, VersionsAndSoftDelete) {
  blobs->set_settings([](std::string_view) {
    AccountSettings settings;
    settings.versioning = true;
    return settings;
  });
  ASSERT_TRUE(put_blob("x", "before"));
  const WallTime first = info("x")->version;
  const auto began = start("x", source());
  ASSERT_TRUE(began);
  work_out("x");
  EXPECT_EQ(info("x")->version, began->version);
  EXPECT_EQ(rows("SELECT count(*) FROM blob_history"), "1\n");
  BlobKey old = key("x");
  old.version = first;
  const auto before = run_task(blobs->open_blob(old, {}));
  ASSERT_TRUE(before);
  EXPECT_EQ(read(before->content), "before");
}

TEST_F(PendingCopiesTest, WhatExpiresMeanwhileIsGone) {
  NewBlob wanted;
  wanted.expiry = clock.now() + 1h;
  ASSERT_TRUE(run_task(copies->start(key("x"), source(), wanted, {})));
  clock.advance(std::chrono::hours(2));
  ASSERT_TRUE(run_task(blobs->sweep()));
  EXPECT_EQ(status("x"), "blob_not_found");
  expect_left(0);
}

}  // namespace
}  // namespace holdfast::blob
