#include "blob/lease.h"

#include <gtest/gtest.h>

#include "blob/testing.h"

namespace holdfast::blob {
namespace {

using std::chrono::seconds;

LeaseRequest request(LeaseRequest::Action action, std::string id = "", std::string proposed = "",
                     int duration = 30) {
  LeaseRequest out;
  out.action = action;
  out.id = std::move(id);
  out.proposed = std::move(proposed);
  out.seconds = duration;
  return out;
}

struct Leases : testing::Test {
  FakeClock clock;
  Lease lease;
  std::string act(const LeaseRequest& wanted) {
    auto next = apply(lease, wanted, clock.now());
    if (next) lease = *next;
    return reason_of(next);
  }
  std::string state() { return std::string(to_string(lease.state(clock.now()))); }
};

TEST_F(Leases, AFixedOneEndsByItself) {
  EXPECT_EQ(act(request(LeaseRequest::acquire, "", "a", 15)), "");
  clock.advance(seconds(14));
  EXPECT_EQ(state(), "leased");
  EXPECT_EQ(act(request(LeaseRequest::acquire, "", "b")), "lease_already_present");
  EXPECT_EQ(act(request(LeaseRequest::renew, "a")), "");
  clock.advance(seconds(14));
  EXPECT_EQ(state(), "leased");
  clock.advance(seconds(1));
  EXPECT_EQ(state(), "expired");
  EXPECT_EQ(act(request(LeaseRequest::change, "a", "b")), "lease_not_present");
  EXPECT_EQ(act(request(LeaseRequest::renew, "b")), "lease_id_mismatch");
  EXPECT_EQ(act(request(LeaseRequest::renew, "a")), "");
  EXPECT_EQ(state(), "leased");
}

TEST_F(Leases, EachActionOnNoLease) {
  EXPECT_EQ(act(request(LeaseRequest::renew, "a")), "lease_id_mismatch");
  EXPECT_EQ(act(request(LeaseRequest::change, "a", "b")), "lease_not_present");
  EXPECT_EQ(act(request(LeaseRequest::release, "a")), "lease_id_mismatch");
  EXPECT_EQ(act(request(LeaseRequest::break_)), "lease_not_present");
  EXPECT_EQ(act(request(LeaseRequest::acquire)), "");
  EXPECT_EQ(lease.id.size(), 36u);
}

TEST_F(Leases, ChangeAndRelease) {
  EXPECT_EQ(act(request(LeaseRequest::acquire, "", "a", Lease::kInfinite)), "");
  clock.advance(std::chrono::hours(10'000));
  EXPECT_EQ(act(request(LeaseRequest::change, "x", "y")), "lease_id_mismatch");
  EXPECT_EQ(act(request(LeaseRequest::change, "a", "b")), "");
  EXPECT_EQ(act(request(LeaseRequest::change, "a", "b")), "") << "again";
  EXPECT_EQ(act(request(LeaseRequest::release, "a")), "lease_id_mismatch");
  EXPECT_EQ(act(request(LeaseRequest::release, "b")), "");
  EXPECT_EQ(state(), "available");
}

TEST_F(Leases, Breaking) {
  EXPECT_EQ(act(request(LeaseRequest::acquire, "", "a", Lease::kInfinite)), "");
  LeaseRequest slow = request(LeaseRequest::break_);
  slow.break_seconds = 20;
  EXPECT_EQ(act(slow), "");
  EXPECT_EQ(state(), "breaking");
  EXPECT_EQ(act(request(LeaseRequest::acquire, "", "a")), "lease_breaking_no_acquire");
  EXPECT_EQ(act(request(LeaseRequest::acquire, "", "b")), "lease_already_present");
  EXPECT_EQ(act(request(LeaseRequest::change, "a", "b")), "lease_breaking_no_change");
  EXPECT_EQ(act(request(LeaseRequest::renew, "a")), "lease_broken_no_renew");
  slow.break_seconds = 60;
  EXPECT_EQ(act(slow), "");
  clock.advance(seconds(20));
  EXPECT_EQ(state(), "broken") << "a later break does not lengthen it";
  EXPECT_EQ(act(request(LeaseRequest::renew, "a")), "lease_broken_no_renew");
  EXPECT_EQ(act(request(LeaseRequest::acquire, "", "b")), "");
  EXPECT_EQ(act(request(LeaseRequest::break_)), "");
  EXPECT_EQ(state(), "breaking") << "what is left of a fixed one";
  clock.advance(seconds(30));
  EXPECT_EQ(state(), "broken");
}

struct LeasedBlobs : testing::Test, TestBlobs {
  Conditions with(std::string id) {
    Conditions conditions;
    conditions.lease_id = std::move(id);
    return conditions;
  }
  std::string act(LeaseRequest wanted) {
    return reason_of(run_task(blobs->lease_blob(key("b"), std::move(wanted), {})));
  }
};

TEST_F(LeasedBlobs, WhoWritesNamesTheLease) {
  ASSERT_TRUE(put_blob("b", "one"));
  const uint64_t etag = info("b")->etag;
  ASSERT_EQ(act(request(LeaseRequest::acquire, "", "a", 15)), "");
  EXPECT_EQ(info("b")->etag, etag);
  const std::string before = everything();
  EXPECT_EQ(reason_of(put_blob("b", "two")), "lease_id_missing");
  EXPECT_EQ(reason_of(put_blob("b", "two", with("x"))), "blob_lease_id_mismatch");
  EXPECT_EQ(reason_of(put_block("b", "AAAA", "x")), "lease_id_missing");
  EXPECT_EQ(reason_of(put_list("b", {})), "lease_id_missing");
  EXPECT_EQ(reason_of(delete_blob("b")), "lease_id_missing");
  EXPECT_EQ(reason_of(run_task(blobs->set_properties(key("b"), Pairs(), std::nullopt, {}))),
            "lease_id_missing");
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(bytes("b"), "one");
  EXPECT_EQ(reason_of(run_task(blobs->blob(key("b"), with("x")))), "blob_lease_id_mismatch");
  EXPECT_EQ(reason_of(run_task(blobs->blob(key("b"), with("a")))), "");
  EXPECT_EQ(reason_of(put_blob("b", "two", with("a"))), "");
  EXPECT_EQ(info("b")->lease.id, "a") << "it outlives the content";
  clock.advance(seconds(15));
  EXPECT_EQ(reason_of(put_blob("b", "three", with("a"))), "blob_not_leased");
  EXPECT_EQ(reason_of(put_blob("b", "three")), "");
  EXPECT_EQ(act(request(LeaseRequest::renew, "a")), "lease_id_mismatch")
      << "a write after it ended ended it for good";
  EXPECT_EQ(reason_of(put_blob("new", "x", with("a"))), "blob_not_leased");
}

TEST_F(LeasedBlobs, OfAContainer) {
  const auto lease = [&](LeaseRequest wanted) {
    return reason_of(run_task(blobs->lease_container("site1", "c", std::move(wanted), {})));
  };
  ASSERT_EQ(lease(request(LeaseRequest::acquire, "", "a", Lease::kInfinite)), "");
  restart();
  const auto remove = [&](Conditions conditions) {
    return reason_of(run_task(blobs->delete_container("site1", "c", std::move(conditions))));
  };
  EXPECT_EQ(remove({}), "lease_id_missing");
  EXPECT_EQ(remove(with("x")), "container_lease_id_mismatch");
  EXPECT_EQ(reason_of(put_blob("b", "one")), "") << "it guards the container, not its blobs";
  EXPECT_EQ(remove(with("a")), "");
  make_container("c");
  EXPECT_EQ(remove(with("a")), "container_not_leased");
}

}  // namespace
}  // namespace holdfast::blob
