#include "console/http/overview.h"

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "net/runtime.h"

namespace holdfast::console {
namespace {

namespace json = boost::json;

struct Overview : testing::Test {
  FakeClock clock;
  HubView view;
  std::vector<Section> sections;
  http::Router router{http::json_error};

  void SetUp() override {
    view.version = "1.2.3";
    view.started = clock.now();
    sections.push_back({"devices", "none yet", []() -> Task<Result<json::array>> {
                          json::object row;
                          row["device"] = "press-07";
                          co_return json::array({row});
                        }});
    sections.push_back({"images", "empty", []() -> Task<Result<json::array>> {
                          co_return fail(Code::unavailable, "the disk is away");
                        }});
    mount_overview(router, view, sections, clock);
  }
  http::Response get(std::string path, std::string role) {
    http::Request request;
    request.method = "GET";
    request.path = std::move(path);
    if (!role.empty()) request.principal = {"test", std::move(role)};
    request.body = std::make_unique<MemorySource>("");
    return run_task(router.handle(request));
  }
};

TEST_F(Overview, APartThatFailsLeavesTheOthersReadable) {
  const auto response = get("/api/v1/overview", "reader");
  ASSERT_EQ(response.status, 200u);
  const json::value all = json::parse(std::get<std::string>(response.body));
  EXPECT_EQ(all.at("version"), "1.2.3");
  EXPECT_EQ(all.at("sections").at(0).at("rows").at(0).at("device"), "press-07");
  EXPECT_EQ(all.at("sections").at(1).at("error"), "the disk is away");
}

TEST_F(Overview, ThePageHoldsNoDataAndTheDataNeedsAReader) {
  EXPECT_EQ(get("/api/v1/overview", "").status, 401u);
  const auto page = get("/", "");
  EXPECT_EQ(page.status, 200u);
  EXPECT_EQ(std::get<std::string>(page.body).find("press-07"), std::string::npos);
  EXPECT_NE(page.headers.get_or("Content-Security-Policy", "").find("default-src 'none'"),
            std::string_view::npos);
}

}  // namespace
}  // namespace holdfast::console
