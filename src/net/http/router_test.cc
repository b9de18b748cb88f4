#include "net/http/router.h"

#include <gtest/gtest.h>

#include "net/runtime.h"

namespace holdfast::http {
namespace {

Handler says(std::string text) {
  return [text](Request& request) -> Task<Result<Response>> {
    std::string all = text;
    for (const auto& [name, value] : request.params) all += " " + name + "=" + value;
    co_return Response(200, "text/plain", all);
  };
}

Result<Principal> by_header(const Request& request) {
  const auto role = request.headers.get("Role");
  if (!role) return Principal();
  if (*role == "broken") return fail(Code::unauthenticated, "the token is not ours");
  return Principal{"somebody", std::string(*role)};
}

struct Routing : testing::Test {
  Router router{json_error, by_header};
  void SetUp() override {
    router.add("GET", "/v2/models/{model}", Role::anonymous, says("model"));
    router.add("GET", "/v2/models/{model}/versions/{version}", Role::anonymous, says("version"));
    router.add("POST", "/v2/models/{model}/infer", Role::anonymous, says("infer"));
    router.add("GET", "/files/{path...}", Role::anonymous, says("file"));
    router.add("GET", "/read", Role::reader, says("read"));
    router.add("POST", "/admin", Role::admin, says("admin"));
    router.add("GET", "/fails", Role::anonymous, [](Request&) -> Task<Result<Response>> {
      co_return fail(Code::conflict, "it is there already");
    });
  }
  Response ask(std::string method, std::string path, std::string role = "") {
    Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    if (!role.empty()) request.headers.set("Role", role);
    return run_task(router.handle(request));
  }
  std::string text(const Response& response) { return std::get<std::string>(response.body); }
};

TEST_F(Routing, FindsRoutesAndParameters) {
  EXPECT_EQ(text(ask("GET", "/v2/models/digits")), "model model=digits");
  EXPECT_EQ(text(ask("GET", "/v2/models/a%20b/versions/2")), "version model=a b version=2");
  EXPECT_EQ(text(ask("GET", "/v2/models/a%2Fb")), "model model=a/b");
  EXPECT_EQ(text(ask("GET", "/files/a/b/c.txt")), "file path=a/b/c.txt");
  EXPECT_EQ(text(ask("HEAD", "/files/x")), "file path=x");
}

TEST_F(Routing, WhatIsNotThere) {
  EXPECT_EQ(ask("GET", "/").status, 404u);
  EXPECT_EQ(ask("GET", "/v2/models/").status, 404u);
  EXPECT_EQ(ask("GET", "/v2/models/x/versions").status, 404u);
  const Response wrong = ask("DELETE", "/v2/models/x/infer");
  EXPECT_EQ(wrong.status, 405u);
  EXPECT_EQ(wrong.headers.get("Allow"), "POST");
  EXPECT_EQ(ask("GET", "/v2/models/%zz").status, 400u);
  EXPECT_EQ(ask("GET", "/v2/models/a%00b").status, 400u);
}

TEST_F(Routing, RolesAreEnforced) {
  EXPECT_EQ(ask("GET", "/read").status, 401u);
  EXPECT_EQ(ask("GET", "/read", "broken").status, 401u);
  EXPECT_EQ(ask("GET", "/read", "reader").status, 200u);
  EXPECT_EQ(ask("GET", "/read", "admin").status, 200u);
  EXPECT_EQ(ask("POST", "/admin", "reader").status, 403u);
  EXPECT_EQ(ask("POST", "/admin", "operator").status, 403u);
  EXPECT_EQ(ask("POST", "/admin", "admin").status, 200u);
}

TEST_F(Routing, ErrorsHaveTheRoutersForm) {
  const Response response = ask("GET", "/fails");
  EXPECT_EQ(response.status, 409u);
  EXPECT_EQ(text(response), R"({"error":{"code":"conflict","message":"it is there already"}})");
}

}  // namespace
}  // namespace holdfast::http
