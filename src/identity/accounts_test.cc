#include "identity/accounts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "identity/tokens.h"
#include "net/runtime.h"

namespace holdfast::identity {
namespace {

std::string temporary_folder() {
  char name[] = "/tmp/identity_test.XXXXXX";
  return ::mkdtemp(name);
}

struct AccountsTest : testing::Test {
  std::string folder = temporary_folder();
  FakeClock clock;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<Accounts> accounts;
  void SetUp() override { open(); }
  void TearDown() override {
    accounts.reset();
    database.reset();
    std::filesystem::remove_all(folder);
  }
  void open() {
    accounts.reset();
    database.reset();
    database = std::move(*store::open_sqlite({folder + "/identity.db", 1}));
    accounts = std::move(*Accounts::open(*database, clock));
  }
};

TEST_F(AccountsTest, StayOverARestart) {
  const auto made = run_task(accounts->create("site1"));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->keys[0].size(), 64u);
  EXPECT_NE(made->keys[0], made->keys[1]);
  open();
  const auto found = accounts->find("site1");
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->keys, made->keys);
  EXPECT_EQ((*found)->created, clock.now());
}

TEST_F(AccountsTest, AreMadeOnceAndListedByName) {
  ASSERT_TRUE(run_task(accounts->create("site2")));
  ASSERT_TRUE(run_task(accounts->create("site1")));
  const auto again = run_task(accounts->create("site1"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::conflict);
  const auto all = accounts->list();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]->name, "site1");
}

TEST_F(AccountsTest, RotateOneKeyAndLeaveTheOther) {
  const auto before = run_task(accounts->create("site1"));
  const auto after = run_task(accounts->rotate("site1", 0));
  ASSERT_TRUE(before && after);
  EXPECT_NE(after->keys[0], before->keys[0]);
  EXPECT_EQ(after->keys[1], before->keys[1]);
  EXPECT_EQ((*accounts->find("site1"))->keys, after->keys);
  open();
  EXPECT_EQ((*accounts->find("site1"))->keys, after->keys);
}

TEST_F(AccountsTest, AreGoneWhenRemoved) {
  ASSERT_TRUE(run_task(accounts->create("site1")));
  ASSERT_TRUE(run_task(accounts->remove("site1")));
  EXPECT_EQ(accounts->find("site1").error().code(), Code::not_found);
  EXPECT_EQ(run_task(accounts->remove("site1")).error().code(), Code::not_found);
  EXPECT_EQ(run_task(accounts->rotate("site1", 1)).error().code(), Code::not_found);
  open();
  EXPECT_TRUE(accounts->list().empty());
}

TEST(AccountName, IsThreeToTwentyFourLettersAndDigits) {
  for (const char* name : {"abc", "site1", "012345678901234567890123"})
    EXPECT_TRUE(check_account_name(name)) << name;
  for (const char* name :
       {"", "ab", "Site1", "a-b", "a/b", "../", "ä12", "0123456789012345678901234"})
    EXPECT_FALSE(check_account_name(name)) << name;
}

struct Tokens : testing::Test {
  std::string folder = temporary_folder();
  FakeClock clock;
  std::unique_ptr<TokenIssuer> issuer = make("/issuer.key", "hub.test");
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::unique_ptr<TokenIssuer> make(const std::string& file, std::string name) {
    return std::move(*TokenIssuer::open(folder + file, std::move(name), clock));
  }
  std::string token() {
    return issuer->issue({"ann", "reader", clock.now() + std::chrono::hours(1)});
  }
};

TEST_F(Tokens, SayWhoAsks) {
  const auto claims = make("/issuer.key", "hub.test")->verify(token());  // the key is on disk
  ASSERT_TRUE(claims) << claims.error().message();
  EXPECT_EQ(claims->subject, "ann");
  EXPECT_EQ(claims->role, "reader");
  EXPECT_EQ(std::filesystem::status(folder + "/issuer.key").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Tokens, ComeAsBearerOrAsThePasswordOfBasic) {
  const auto who = issuer->authenticator();
  const auto asks = [&](const std::string& header) {
    http::Request request;
    request.headers.set("Authorization", header);
    return who(request);
  };
  const std::string one = token();
  for (const std::string& good :
       {"Bearer " + one, "bearer " + one, "Basic " + base64(as_bytes("ann:" + one)),
        "basic " + base64(as_bytes("any:" + one))}) {
    const auto principal = asks(good);
    ASSERT_TRUE(principal) << good;
    EXPECT_EQ(principal->name, "ann");
    EXPECT_EQ(principal->role, "reader");
  }
  for (const std::string& bad :
       {one, std::string("Basic"), std::string("Basic !"), "Basic " + base64(as_bytes(one)),
        "Basic " + base64(as_bytes(one + ":")), "Digest " + one, std::string("Bearer ")})
    EXPECT_EQ(asks(bad).error().code(), Code::unauthenticated) << bad;
  http::Request nobody;
  EXPECT_EQ(who(nobody)->name, "");
}

TEST_F(Tokens, EndAMinuteAfterTheirTime) {
  const std::string one = token();
  clock.advance(std::chrono::minutes(61));
  EXPECT_TRUE(issuer->verify(one));
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(issuer->verify(one).error().code(), Code::unauthenticated);
}

TEST_F(Tokens, AreForOneIssuerAndOneKey) {
  EXPECT_FALSE(make("/issuer.key", "other.test")->verify(token()));
  EXPECT_FALSE(make("/other.key", "hub.test")->verify(token()));
}

TEST_F(Tokens, AreRefusedWhenChanged) {
  const std::string one = token();
  const auto parts = split(one, '.');
  ASSERT_EQ(parts.size(), 3u);
  const std::string body(parts[1]), signature(parts[2]);
  const std::string none = base64_url(as_bytes(R"({"alg":"none"})"));
  const std::string hs256 = base64_url(as_bytes(R"({"alg":"HS256"})"));
  std::string admin = *from_base64_url(body);
  admin.replace(admin.find("reader"), 6, "admin");
  const std::string zero = base64_url(as_bytes(std::string(64, '\0')));
  for (const std::string& bad :
       {std::string(), std::string("x"), none + "." + body + ".",
        none + "." + body + "." + signature, hs256 + "." + body + "." + signature,
        std::string(parts[0]) + "." + base64_url(as_bytes(admin)) + "." + signature,
        std::string(parts[0]) + "." + body + "." + zero, one + ".", std::string(10'000, 'a')}) {
    const auto claims = issuer->verify(bad);
    ASSERT_FALSE(claims) << bad;
    EXPECT_EQ(claims.error().code(), Code::unauthenticated);
  }
}

}  // namespace
}  // namespace holdfast::identity
