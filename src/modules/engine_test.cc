// The contract of a ContainerEngine, held by the fake and by processes; what is Docker's own is
// asked of a small engine of this file.
#include "modules/engine.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <thread>

#include "modules/docker/docker_engine.h"
#include "modules/memory_engine.h"
#include "modules/process_engine.h"
#include "net/http/testing.h"
#include "net/testing.h"

namespace holdfast::modules {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

ContainerSpec shell(std::string name, const std::string& script) {
  ContainerSpec spec;
  spec.name = std::move(name);
  spec.fingerprint = "f1";
  spec.image = "image";
  spec.command = {"/bin/sh", "-c", script};
  spec.env = {{"COLOUR", "green"}};
  return spec;
}

enum class Kind { memory, process };

struct EngineContract : testing::TestWithParam<Kind> {
  std::filesystem::path folder = [] {
    char name[] = "/tmp/engine_test.XXXXXX";
    return std::filesystem::path(mkdtemp(name));
  }();
  FakeClock clock;
  BlockingPool pool{"engine", 1};
  MemoryEngine memory{clock};
  ProcessEngine process{folder, pool, clock};
  ContainerEngine& engine() {
    if (GetParam() == Kind::process) return process;
    return memory;
  }
  void SetUp() override { memory.add_image("image"); }
  void TearDown() override { std::filesystem::remove_all(folder); }
  Actual only() {
    const auto all = run_task(engine().list());
    EXPECT_TRUE(all && all->size() == 1);
    return all && all->size() == 1 ? all->front() : Actual();
  }
};

TEST_P(EngineContract, ALife) {
  const ContainerSpec spec = shell("mod", "while :; do sleep 0.01; done");
  ASSERT_TRUE(run_task(engine().prepare(spec)));
  ASSERT_TRUE(run_task(engine().create(spec)));
  EXPECT_EQ(run_task(engine().create(spec)).error().code(), Code::conflict);
  EXPECT_EQ(only().state, Running::created);
  EXPECT_EQ(only().fingerprint, "f1");
  ASSERT_TRUE(run_task(engine().start("mod")));
  ASSERT_TRUE(run_task(engine().start("mod"))) << "it runs already";
  EXPECT_EQ(only().state, Running::running);
  ASSERT_TRUE(run_task(engine().stop("mod", 1s)));
  ASSERT_TRUE(run_task(engine().stop("mod", 1s))) << "it is stopped already";
  EXPECT_EQ(only().state, Running::exited);
  ASSERT_TRUE(run_task(engine().start("mod")));
  EXPECT_EQ(only().state, Running::running);
  ASSERT_TRUE(run_task(engine().remove("mod")));
  ASSERT_TRUE(run_task(engine().remove("mod"))) << "it is gone already";
  EXPECT_EQ(run_task(engine().list())->size(), 0u);
}

TEST_P(EngineContract, WhatIsNotThere) {
  EXPECT_EQ(run_task(engine().start("mod")).error().code(), Code::not_found);
  EXPECT_EQ(run_task(engine().stop("mod", 1s)).error().code(), Code::not_found);
  EXPECT_EQ(run_task(engine().logs("mod", 5)).error().code(), Code::not_found);
  ContainerSpec spec = shell("mod", "");
  spec.image = "none";
  spec.command = {"/nonexistent"};
  EXPECT_EQ(run_task(engine().prepare(spec)).error().code(), Code::not_found);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract, testing::Values(Kind::memory, Kind::process));

using ProcessEngineTest = EngineContract;
INSTANTIATE_TEST_SUITE_P(Process, ProcessEngineTest, testing::Values(Kind::process));

TEST_P(ProcessEngineTest, KnowsHowItEndedAndWhatItSaid) {
  if (GetParam() != Kind::process) return;
  ASSERT_TRUE(run_task(process.create(shell("mod", "echo one; echo $COLOUR; exit 5"))));
  ASSERT_TRUE(run_task(process.start("mod")));
  for (const auto until = std::chrono::steady_clock::now() + 30s;
       only().state != Running::exited && std::chrono::steady_clock::now() < until;)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(only().exit_code, 5);
  EXPECT_EQ(only().finished, clock.now());
  EXPECT_EQ(*run_task(process.logs("mod", 10)), "one\ngreen\n");
  EXPECT_EQ(*run_task(process.logs("mod", 1)), "green\n");
}

TEST(Tail, TakesTheLastLines) {
  EXPECT_EQ(tail("a\nb\nc\n", 2), "b\nc\n");
  EXPECT_EQ(tail("a\nb\nc", 2), "b\nc");
  EXPECT_EQ(tail("a\nb\n", 9), "a\nb\n");
  EXPECT_EQ(tail("", 3), "");
  EXPECT_EQ(tail("abcdef\n", 3, 4), "def\n");
}

TEST(CreateBody, PutsOursIntoTheOptions) {
  ContainerSpec spec = shell("mod", "");
  spec.create_options = json::parse(R"({"HostConfig":{"Binds":["/a:/b"]},"Env":["X=1","COLOUR=red"],
    "Labels":{"mine":"yes"},"Image":"other"})")
                            .as_object();
  spec.labels = {{"version", "1.0"}};
  const json::object body =
      create_body(spec, {.device = "press-07", .binds = {"/data/ca.crt:/data/ca.crt:ro"}});
  EXPECT_EQ(body.at("Image"), "image");
  EXPECT_EQ(json::serialize(body.at("Env")), R"(["X=1","COLOUR=green"])");
  EXPECT_EQ(json::serialize(body.at("HostConfig")),
            R"({"Binds":["/a:/b","/data/ca.crt:/data/ca.crt:ro"]})");
  const json::value& labels = body.at("Labels");
  EXPECT_EQ(labels.at("mine"), "yes");
  EXPECT_EQ(labels.at("net.azure-devices.edge.version"), "1.0");
  EXPECT_EQ(labels.at("net.azure-devices.edge.owner"), "Microsoft.Azure.Devices.Edge.Agent");
  EXPECT_EQ(labels.at("dev.holdfast.module"), "mod");
  EXPECT_EQ(labels.at("dev.holdfast.device"), "press-07");
}

TEST(Unframed, JoinsTheFrames) {
  using namespace std::literals;
  EXPECT_EQ(unframed("\1\0\0\0\0\0\0\2ab\2\0\0\0\0\0\0\1c"sv), "abc");
  EXPECT_EQ(unframed("\1\0\0\0\0\0\0\x09"
                     "ab"sv),
            "ab")
      << "cut short";
  EXPECT_EQ(unframed("plain text\n"), "plain text\n");
}

// The paths of the API that we use, answered as podman 4.3 and Docker 20.10 answer them.
struct DockerTest : testing::Test {
  http::Router router{http::json_error};
  std::vector<std::string> asked;
  Runtime runtime{1};
  std::unique_ptr<http::LoopbackServer> server;
  std::unique_ptr<DockerEngine> engine;
  void answer(std::string_view method, std::string pattern, unsigned status, std::string body) {
    router.add(method, "/v1.41" + pattern, http::Role::anonymous,
               [this, status, body](http::Request& request) -> Task<Result<http::Response>> {
                 auto sent = co_await read_all(*request.body, 1 << 20);
                 asked.push_back(request.method + " " + request.target + " " + sent.value_or("?"));
                 co_return http::Response(status, "application/json", body);
               });
  }
  void serve() {
    server = std::make_unique<http::LoopbackServer>(router);
    engine = *DockerEngine::open({server->url(), "dev1"});
  }
  void TearDown() override { engine.reset(); }
};

TEST_F(DockerTest, PullsWhatIsNotThere) {
  answer("GET", "/images/{name...}", 404, R"({"message":"no such image"})");
  answer("POST", "/images/create", 200,
         "{\"status\":\"Pulling\"}\r\n{\"error\":\"denied here\"}\r\n");
  serve();
  ContainerSpec spec = shell("mod", "");
  spec.image = "hub:5000/a/b:1";
  spec.registry = {"hub:5000", "u", "p"};
  const auto done = run_on(runtime, engine->prepare(spec));
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("denied here"), std::string::npos);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1], "POST /v1.41/images/create?fromImage=hub%3A5000%2Fa%2Fb%3A1 ");
  spec.pull = PullPolicy::never;
  EXPECT_EQ(run_on(runtime, engine->prepare(spec)).error().code(), Code::not_found);
}

TEST_F(DockerTest, CreatesStartsStopsRemoves) {
  answer("POST", "/containers/create", 201, R"({"Id":"x"})");
  answer("POST", "/containers/{id}/start", 304, "");
  answer("POST", "/containers/{id}/stop", 204, "");
  answer("DELETE", "/containers/{id}", 404, R"({"message":"no such container"})");
  serve();
  ASSERT_TRUE(run_on(runtime, engine->create(shell("mod", ""))));
  ASSERT_TRUE(run_on(runtime, engine->start("mod")));
  ASSERT_TRUE(run_on(runtime, engine->stop("mod", 10s)));
  ASSERT_TRUE(run_on(runtime, engine->remove("mod")));
  ASSERT_EQ(asked.size(), 4u);
  EXPECT_TRUE(asked[0].starts_with("POST /v1.41/containers/create?name=mod {")) << asked[0];
  EXPECT_EQ(asked[2], "POST /v1.41/containers/mod/stop?t=10 ");
}

TEST_F(DockerTest, ListsItsOwn) {
  answer("GET", "/containers/json", 200, R"([
    {"Id":"1","ImageID":"sha256:9","State":"running",
     "Labels":{"dev.holdfast.module":"a","dev.holdfast.fingerprint":"f"}},
    {"Id":"2","State":"exited","Labels":{"dev.holdfast.module":"b"}},
    {"Id":"3","State":"running","Labels":{}}, 5])");
  answer("GET", "/containers/b/json", 200,
         R"({"State":{"ExitCode":137,"StartedAt":"2026-01-02T03:04:05.678901234Z",
             "FinishedAt":"2026-01-02T03:05:05Z"}})");
  serve();
  const auto all = run_on(runtime, engine->list());
  ASSERT_TRUE(all) << all.error().message();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].name, "a");
  EXPECT_EQ((*all)[0].state, Running::running);
  EXPECT_EQ((*all)[0].image_id, "sha256:9");
  EXPECT_EQ((*all)[1].exit_code, 137);
  EXPECT_EQ(format_rfc3339((*all)[1].finished, 0), "2026-01-02T03:05:05Z");
  EXPECT_NE(asked[0].find("dev.holdfast.device%3Ddev1"), std::string::npos) << asked[0];
}

TEST_F(DockerTest, ItsErrorsAreOurs) {
  answer("POST", "/containers/create", 409, R"({"message":"name in use"})");
  answer("GET", "/containers/json", 500, "boom");
  serve();
  const auto made = run_on(runtime, engine->create(shell("mod", "")));
  EXPECT_EQ(made.error().code(), Code::conflict);
  EXPECT_NE(made.error().message().find("name in use"), std::string::npos);
  EXPECT_EQ(run_on(runtime, engine->list()).error().code(), Code::unavailable);
  EXPECT_EQ(DockerEngine::open({"tcp://x", ""}).error().code(), Code::invalid_argument);
  const auto away = *DockerEngine::open({"unix:///tmp/none", ""});
  EXPECT_EQ(run_on(runtime, away->list()).error().code(), Code::unavailable);
}

}  // namespace
}  // namespace holdfast::modules
