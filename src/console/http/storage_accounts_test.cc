// Walks the console's routes: each needs a row here that says who may call it.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <map>

#include "console/console.h"
#include "identity/tokens.h"
#include "net/http/testing.h"

namespace holdfast::console {
namespace {

namespace json = boost::json;

// Who is let in: the statuses without a token, with a broken one, an expired one, a reader's, an
// admin's.
struct Row {
  unsigned none, wrong, expired, reader, admin;
};
constexpr Row kReaders = {401, 401, 401, 200, 200};
constexpr Row kAdmins = {401, 401, 401, 403, 200};

struct Console : testing::Test {
  std::string folder;
  FakeClock clock;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<identity::Accounts> accounts;
  std::unique_ptr<identity::TokenIssuer> issuer;
  HubView view;
  bool used = false;
  std::unique_ptr<http::Router> router;

  void SetUp() override {
    char name[] = "/tmp/console_test.XXXXXX";
    folder = ::mkdtemp(name);
    database = std::move(*store::open_sqlite({folder + "/identity.db", 1}));
    accounts = std::move(*identity::Accounts::open(*database, clock));
    issuer = std::move(*identity::TokenIssuer::open(folder + "/issuer.key", "hub.test", clock));
    view.blob_url = "http://127.0.0.1:10000";
    view.blob_endpoint = "https://blobs.example.com/store";
    view.version = "1.2.3";
    view.started = clock.now();
    view.has_containers = [this](std::string) -> Task<Result<bool>> { co_return used; };
    router = std::make_unique<http::Router>(http::json_error, issuer->authenticator());
    mount(*router, *accounts, view);
  }
  void TearDown() override {
    router.reset();
    accounts.reset();
    database.reset();
    std::filesystem::remove_all(folder);
  }
  std::string token(std::string role, int hours = 1) {
    return "Bearer " +
           issuer->issue({"ann", std::move(role), clock.now() + std::chrono::hours(hours)});
  }
  http::Response call(std::string method, std::string path, std::string authorization,
                      std::string body = "") {
    http::Request request;
    request.method = std::move(method);
    request.target = request.path = std::move(path);
    if (!authorization.empty()) request.headers.set("Authorization", std::move(authorization));
    request.content_length = body.size();
    request.body = std::make_unique<MemorySource>(std::move(body));
    return run_task(router->handle(request));
  }
  http::Response admin(std::string method, std::string path, std::string body = "") {
    return call(std::move(method), std::move(path), token("admin"), std::move(body));
  }
  static json::value body_of(const http::Response& response) {
    return json::parse(std::get<std::string>(response.body));
  }
};

TEST_F(Console, AsksEveryRouteForItsRole) {
  const std::string all = "/api/v1/storage/accounts", one = all + "/{name}";
  const std::map<std::string, Row> rows = {
      {"GET /healthz", {200, 401, 401, 200, 200}},
      {"GET /api/v1/status", kReaders},
      {"GET " + all, kReaders},
      {"POST " + all, {401, 401, 401, 403, 201}},
      {"GET " + one, kReaders},
      {"DELETE " + one, {401, 401, 401, 403, 204}},
      {"GET " + one + "/keys", kAdmins},
      {"POST " + one + "/keys/{key}/rotate", kAdmins},
  };
  size_t walked = 0;
  for (const http::Route& route : router->routes()) {
    const std::string name = route.method + " " + route.pattern;
    const auto row = rows.find(name);
    ASSERT_NE(row, rows.end()) << name << " has no row in this test";
    ++walked;
    const auto status = [&](std::string authorization) {
      (void)run_task(accounts->remove("made"));
      (void)run_task(accounts->create("site1"));
      std::string path = route.pattern;
      if (const size_t at = path.find("{name}"); at != std::string::npos)
        path.replace(at, 6, "site1");
      if (const size_t at = path.find("{key}"); at != std::string::npos)
        path.replace(at, 5, "key1");
      const std::string body = route.method == "POST" ? R"({"name":"made"})" : "";
      return call(route.method, path, std::move(authorization), body).status;
    };
    EXPECT_EQ(status(""), row->second.none) << name;
    EXPECT_EQ(status("Bearer not.a.token"), row->second.wrong) << name;
    EXPECT_EQ(status(token("admin", -1)), row->second.expired) << name;
    EXPECT_EQ(status(token("reader")), row->second.reader) << name;
    EXPECT_EQ(status(token("admin")), row->second.admin) << name;
  }
  EXPECT_EQ(walked, rows.size());
}

TEST_F(Console, MakesShowsAndListsAccounts) {
  const auto made = admin("POST", "/api/v1/storage/accounts", R"({"name":"site1"})");
  ASSERT_EQ(made.status, 201u);
  const json::value account = body_of(made);
  EXPECT_EQ(account.at("name"), "site1");
  EXPECT_EQ(account.at("endpoint"), "https://blobs.example.com/store/site1");
  EXPECT_EQ(account.at("created"), json::string(format_rfc3339(clock.now())));
  EXPECT_EQ(body_of(admin("GET", "/api/v1/storage/accounts/site1")), account);
  const json::value listed = body_of(admin("GET", "/api/v1/storage/accounts"));
  ASSERT_EQ(listed.at("accounts").as_array().size(), 1u);
  EXPECT_EQ(listed.at("accounts").as_array()[0], account);
  EXPECT_EQ(admin("POST", "/api/v1/storage/accounts", R"({"name":"site1"})").status, 409u);
}

TEST_F(Console, RefusesBadBodies) {
  for (const std::string& body :
       {std::string(), std::string("["), std::string("[]"), std::string("{}"),
        std::string(R"({"name":1})"), std::string(R"({"name":"No"})"),
        std::string(R"({"name":"site1","colour":"red"})"), std::string(R"({"name":"../etc"})")}) {
    const auto answer = admin("POST", "/api/v1/storage/accounts", body);
    EXPECT_EQ(answer.status, 400u) << body;
    EXPECT_FALSE(body_of(answer).at("error").at("message").as_string().empty()) << body;
  }
  const auto large = admin("POST", "/api/v1/storage/accounts", std::string((64 << 10) + 1, ' '));
  EXPECT_EQ(large.status, 413u);
  EXPECT_TRUE(accounts->list().empty());
}

TEST_F(Console, RotatesOneKey) {
  ASSERT_TRUE(run_task(accounts->create("site1")));
  const std::string path = "/api/v1/storage/accounts/site1/keys";
  const json::value before = body_of(admin("GET", path));
  const json::value after = body_of(admin("POST", path + "/key2/rotate"));
  const auto key = [](const json::value& keys, size_t i) { return keys.at("keys").at(i); };
  EXPECT_EQ(key(before, 0).at("name"), "key1");
  EXPECT_EQ(key(after, 0), key(before, 0));
  EXPECT_NE(key(after, 1), key(before, 1));
  EXPECT_EQ(body_of(admin("GET", path)), after);
  EXPECT_EQ(admin("POST", path + "/key3/rotate").status, 404u);
}

TEST_F(Console, KeepsAnAccountThatHasContainers) {
  ASSERT_TRUE(run_task(accounts->create("site1")));
  used = true;
  EXPECT_EQ(admin("DELETE", "/api/v1/storage/accounts/site1").status, 409u);
  EXPECT_TRUE(accounts->find("site1"));
  used = false;
  EXPECT_EQ(admin("DELETE", "/api/v1/storage/accounts/site1").status, 204u);
  EXPECT_EQ(admin("GET", "/api/v1/storage/accounts/site1").status, 404u);
  EXPECT_EQ(admin("DELETE", "/api/v1/storage/accounts/site1").status, 404u);
}

}  // namespace
}  // namespace holdfast::console
