#include "answers/local_sessions.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "answers/model_client.h"
#include "answers/testing.h"
#include "net/http/testing.h"
#include "net/task_group.h"
#include "net/testing.h"

namespace holdfast::answers {
namespace {

using std::chrono::milliseconds;

class LocalSessionsTest : public ::testing::Test {
 public:
  LocalSessionsTest() {
    char name[] = "/tmp/local_sessions.XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/door";
    runtime_.start();
  }
  ~LocalSessionsTest() override {
    runtime_.stop();
    std::filesystem::remove_all(folder_);
  }

  static transform::Tensor row(uint8_t first, size_t size = 4) {
    transform::Tensor tensor;
    tensor.type = transform::Type::uint8;
    tensor.shape = {static_cast<int64_t>(size)};
    tensor.data = Bytes(size);
    tensor.data[0] = static_cast<std::byte>(first);
    return tensor;
  }
  static ModelInput input() { return {"X", "UINT8", {-1, -1}}; }
  Result<std::string> ask(LocalSessions& sessions, const transform::Tensor& tensor) {
    return run_on(runtime_, sessions.infer("digits", input(), {1, tensor.shape[0]}, tensor));
  }

  Runtime runtime_{1};
  // The answer's outputs, or what went wrong.
  std::string outputs(LocalSessions& sessions, const transform::Tensor& tensor) {
    const auto answer = ask(sessions, tensor);
    if (!answer) return std::string(answer.error().reason()) + ": " + answer.error().message();
    const auto read = read_answer(*answer);
    return read ? read->outputs : read.error().message();
  }

  std::string folder_, path_;
};

// A server over HTTP that answers 9, with a digest of its own choice.
struct Http {
  std::string digest = "sha256:ab";
  int asked = 0;
  http::Router router;
  std::unique_ptr<http::LoopbackServer> server;
  Http() {
    router.add("POST", "/v2/models/{model}/infer", http::Role::anonymous,
               [this](http::Request& request) { return infer(this, request); });
    server = std::make_unique<http::LoopbackServer>(router);
  }
  static Task<Result<http::Response>> infer(Http* self, http::Request& request) {
    CO_TRY_VOID(co_await read_all(*request.body, 1 << 20));
    ++self->asked;
    co_return http::Response(200, "application/json",
                             R"({"parameters":{"model_digest":")" + self->digest +
                                 R"("},"outputs":[{"name":"label","shape":[1],"data":[9]}]})");
  }
};

// Every question on one executor, as in the edge.
class ModelClientTest : public LocalSessionsTest {
 public:
  std::string outputs(uint8_t first) {
    const auto answer = ask(first);
    return answer ? answer->outputs : answer.error().message();
  }
  Result<ModelAnswer> ask(uint8_t first) {
    const transform::Tensor tensor = row(first);
    return run_on(runtime_, model_.ask(input(), tensor));
  }
  Http http_;
  http::Client client_;
  ModelClient model_{client_, {http_.server->url(), path_}, "digits"};
};

TEST_F(LocalSessionsTest, AnswersAndKeepsItsSession) {
  FakeDoor door(path_);
  LocalSessions sessions(path_);
  for (const size_t size : {4u, 3u, 4u, 70'000u, 5u}) {
    const auto first = static_cast<uint8_t>(size);
    EXPECT_EQ(outputs(sessions, row(first, size)), R"({"label":)" + std::to_string(first) + "}");
  }
  EXPECT_EQ(door.asked, 5);
  EXPECT_EQ(door.connections, 2);  // the fourth needed more memory
}

TEST_F(LocalSessionsTest, SaysThatNobodyIsThere) {
  LocalSessions sessions(path_);
  const auto answer = ask(sessions, row(1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Code::unavailable);
  EXPECT_EQ(answer.error().reason(), "local_door");
}

TEST_F(ModelClientTest, APathThatIsTooLongIsNoFaultOfTheFile) {
  ModelClient model(client_, {http_.server->url(), folder_ + "/" + std::string(120, 'n')},
                    "digits");
  const transform::Tensor tensor = row(1);
  const auto answer = run_on(runtime_, model.ask(input(), tensor));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(model.way(), "http");
}

TEST_F(LocalSessionsTest, ARestartedServerIsFoundAgain) {
  LocalSessions sessions(path_);
  for (int life = 0; life < 3; ++life) {
    FakeDoor door(path_);
    EXPECT_EQ(outputs(sessions, row(7)), R"({"label":7})");
    EXPECT_EQ(outputs(sessions, row(8)), R"({"label":8})");
  }
}

TEST_F(LocalSessionsTest, ACutConnectionIsTriedOnceMoreAndThenTold) {
  FakeDoor door(path_);
  LocalSessions sessions(path_);
  ASSERT_TRUE(ask(sessions, row(1)));
  door.cut_questions = 1;
  EXPECT_EQ(outputs(sessions, row(2)), R"({"label":2})");
  door.cut_questions = 2;
  const auto answer = ask(sessions, row(3));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason(), "local_door");
  EXPECT_EQ(outputs(sessions, row(4)), R"({"label":4})");
}

TEST_F(LocalSessionsTest, ASilentServerEndsAtTheLimit) {
  FakeDoor door(path_);
  door.silent = true;
  LocalSessions sessions(path_, milliseconds(20));
  const auto answer = ask(sessions, row(1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Code::timed_out);
  door.silent = false;
  EXPECT_EQ(outputs(sessions, row(5)), R"({"label":5})");
  EXPECT_EQ(door.connections, 2);  // a late answer is nobody else's
}

TEST_F(LocalSessionsTest, MoreQuestionsThanSessionsAreRefusedAtOnce) {
  FakeDoor door(path_);
  door.silent = true;
  LocalSessions sessions(path_);
  TaskGroup group;
  std::atomic<int> refused{0};
  Task<void> (*one)(LocalSessions&, std::atomic<int>&) = [](LocalSessions& to,
                                                            std::atomic<int>& count) -> Task<void> {
    const transform::Tensor tensor = row(1);
    const auto answer = co_await to.infer("digits", input(), {1, 4}, tensor);
    if (!answer && answer.error().reason() == "local_busy") ++count;
  };
  for (int i = 0; i < 11; ++i)
    group.spawn(runtime_.executor(0), "question", one(sessions, refused));
  while (door.asked < 8 || refused < 3) std::this_thread::yield();
  EXPECT_EQ(door.connections, 8);
  group.cancel();
  run_task(group.join());
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(door.asked, 8);
}

TEST_F(ModelClientTest, GoesLocallyWhereItCan) {
  EXPECT_EQ(outputs(1), R"({"label":9})");
  EXPECT_EQ(model_.way(), "http");
  {
    FakeDoor door(path_);
    EXPECT_EQ(outputs(2), R"({"label":2})");
    EXPECT_EQ(model_.way(), "local");
    EXPECT_EQ(http_.asked, 1);
  }
  EXPECT_EQ(outputs(3), R"({"label":9})");
  EXPECT_EQ(model_.way(), "http");
}

TEST_F(ModelClientTest, WhatTheServerRefusesIsNotAskedTwice) {
  FakeDoor door(path_);
  struct Case {
    const char* answer;
    Code code;
    const char* reason;
  };
  for (const Case& one :
       {Case{R"({"error":"no","code":"invalid_argument","kind":"invalid_argument"})",
             Code::invalid_argument, "model_refused"},
        Case{R"({"error":"no","code":"truncated_image","kind":"invalid_argument"})",
             Code::invalid_argument, "model_refused"},
        Case{R"({"error":"no","code":"not_found","kind":"not_found"})", Code::unavailable,
             "no_model"},
        Case{R"({"error":"no","code":"queue_full","kind":"unavailable"})", Code::unavailable, ""},
        Case{R"({"error":"no","code":"internal","kind":"internal"})", Code::unavailable, ""},
        Case{R"({"error":"no","code":"timed_out","kind":"timed_out"})", Code::timed_out, ""},
        Case{R"({"error":)", Code::unavailable, ""}, Case{"{}", Code::internal, ""}}) {
    door.answer_with(one.answer);
    const auto answer = ask(1);
    ASSERT_FALSE(answer) << one.answer;
    EXPECT_EQ(answer.error().code(), one.code) << one.answer;
    EXPECT_EQ(answer.error().reason(), one.reason) << one.answer;
  }
  EXPECT_EQ(http_.asked, 0);
}

TEST_F(ModelClientTest, AnswersTooLargeForTheDoorComeOverHttpAsLongAsTheModelIsTheSame) {
  FakeDoor door(path_);
  door.answer_with(R"({"error":"more than 64 KiB","code":"too_large","kind":"too_large"})");
  EXPECT_EQ(outputs(1), R"({"label":9})");
  EXPECT_EQ(outputs(1), R"({"label":9})");
  EXPECT_EQ(door.asked, 1);
  http_.digest = "sha256:cd";
  door.answer_with("");
  EXPECT_EQ(outputs(3), R"({"label":9})");
  EXPECT_EQ(outputs(3), R"({"label":3})");
  EXPECT_EQ(model_.way(), "local");
}

}  // namespace
}  // namespace holdfast::answers
