#include "answers/flow.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "answers/http/api.h"
#include "answers/testing.h"
#include "net/http/testing.h"
#include "transform/testing.h"

namespace holdfast::answers {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using std::chrono::milliseconds;

// An inference server whose one model answers with the first value of its input.
struct FakeServe {
  std::atomic<unsigned> refuse_with{0};  // a status for every infer; 0: answers
  std::atomic<int> width{4};             // of the model's input
  std::atomic<int> asked{0};
  http::Router router;
  std::unique_ptr<http::LoopbackServer> server;

  FakeServe() {
    router.add("GET", "/v2/models/{model}", http::Role::anonymous,
               [this](http::Request&) { return metadata(this); });
    router.add("POST", "/v2/models/{model}/infer", http::Role::anonymous,
               [this](http::Request& request) { return infer(this, request); });
    server = std::make_unique<http::LoopbackServer>(router);
  }
  static Task<Result<http::Response>> metadata(FakeServe* self) {
    if (self->refuse_with == 404)
      co_return http::Response(404, "application/json", R"({"error":"no such model"})");
    const json::object document{
        {"name", "digits"},
        {"inputs", {{{"name", "X"}, {"datatype", "UINT8"}, {"shape", {-1, self->width.load()}}}}}};
    co_return http::Response(200, "application/json", json::serialize(document));
  }
  static Task<Result<http::Response>> infer(FakeServe* self, http::Request& request) {
    const auto length = parse_u64(request.headers.get_or("Inference-Header-Content-Length", ""));
    CO_TRY(const std::string body, co_await read_all(*request.body, 1 << 20));
    ++self->asked;
    if (const unsigned status = self->refuse_with; status != 0)
      co_return http::Response(status, "application/json", R"({"error":"planned"})");
    const json::value head = json::parse(std::string_view(body).substr(0, *length));
    const json::object& input = head.at("inputs").at(0).as_object();
    EXPECT_EQ(input.at("shape"), (json::array{1, 4}));
    EXPECT_EQ(input.at("parameters").at("binary_data_size").to_number<size_t>(),
              body.size() - *length);
    const json::object answer{{"model_version", "2"},
                              {"parameters", {{"model_digest", "sha256:ab"}}},
                              {"outputs",
                               {{{"name", "label"},
                                 {"datatype", "INT64"},
                                 {"shape", {1}},
                                 {"data", {static_cast<uint8_t>(body[*length])}}}}}};
    co_return http::Response(200, "application/json", json::serialize(answer));
  }
};

class FlowTest : public ::testing::Test {
 public:
  FlowTest() {
    char name[] = "/tmp/flow_test.XXXXXX";
    folder_ = mkdtemp(name);
    for (const char* share : {"camera", "ready", "answers"})
      fs::create_directories(folder_ / share);
    store::SqliteOptions options;
    options.path = folder_ / "edge.db";  // a real one: its reads are snapshots, as in the edge
    database_ = std::move(*store::open_sqlite(options));
    EXPECT_TRUE(migrate_batches(*database_));
    events_ = std::move(*shares::FileEvents::open(*database_));
    config_.device = "press";
    config_.transform = "digits";
    config_.share.name = shares::ShareName("camera");
    config_.share.path = folder_ / "camera";
    config_.recipe = *transform::parse_recipe(
        "steps: [{decode: {color: gray}}, {resize: {width: 2, height: 2}}, {layout: flat}, {type: "
        "uint8}]",
        "r");
    config_.answers = AnswerTarget{
        "digits", "digits", "answers", folder_ / "answers", 3, milliseconds(3'600'000)};
    config_.batches = BatchTarget{"ready", folder_ / "ready", {2, milliseconds(3'600'000)}};
    EXPECT_TRUE(events_->register_consumer(config_.share.name, "transform:digits"));
  }
  ~FlowTest() override {
    stop();
    fs::remove_all(folder_);
  }

  // One life of the edge's flow.
  struct Life {
    Runtime runtime{2};
    BlockingPool pool{"files", 2};
    http::Client client;
    TaskGroup group;
    Flows flows;
  };
  Flow& start() {
    life_ = std::make_unique<Life>();
    const ModelServer server{serve_.server->url(), folder_ / "door"};
    life_->flows.push_back(std::make_unique<Flow>(config_, *events_, *database_, life_->client,
                                                  server, life_->pool, clock_));
    life_->runtime.start();
    life_->flows[0]->start(life_->runtime.executor(0), life_->group);
    return *life_->flows[0];
  }
  void stop() {
    if (!life_) return;
    life_->group.cancel();
    run_task(life_->group.join());
    life_.reset();
  }

  void put(const std::string& path, const std::string& bytes) {
    std::ofstream(folder_ / "camera" / path, std::ios::binary) << bytes;
    struct stat info{};
    stat((folder_ / "camera" / path).c_str(), &info);
    shares::FileEvent event;
    event.id = "id-" + path;
    event.share = config_.share.name;
    event.path = path;
    event.size = static_cast<uint64_t>(info.st_size);
    event.modified = WallTime(
        std::chrono::nanoseconds(info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec));
    event.closed = clock_.now();
    ASSERT_TRUE(run_task(events_->raise({event})));
  }
  void put_picture(const std::string& path, uint8_t level) {
    put(path, transform::testing::png(4, 4, {0, 8},
                                      [level](uint32_t, uint32_t, uint32_t) { return level; }));
  }
  shares::Counts counts() {
    return *run_task(events_->counts(config_.share.name, "transform:digits"));
  }
  // Asks until it holds; the deadline only ends a broken run.
  template <class F>
  static bool eventually(F holds) {
    for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
         std::chrono::steady_clock::now() < until;) {
      if (holds()) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }
  // Every line of every answer file, open ones too.
  std::vector<json::value> lines() const {
    std::vector<json::value> out;
    for (const auto& entry : fs::directory_iterator(folder_ / "answers")) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) out.push_back(json::parse(line));
    }
    return out;
  }
  size_t closed_files() const {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / "answers"))
      count += !entry.path().filename().string().starts_with(".");
    return count;
  }

  fs::path folder_;
  FakeClock clock_;
  FakeServe serve_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<shares::FileEvents> events_;
  FlowConfig config_;
  std::unique_ptr<Life> life_;
};

TEST_F(FlowTest, AnswersEveryFileOnceAndWritesBatches) {
  Flow& flow = start();
  for (uint8_t i = 0; i < 6; ++i) put_picture("p" + std::to_string(i) + ".png", i);
  ASSERT_TRUE(eventually([&] { return counts().done == 6 && closed_files() == 2; }));
  std::map<std::string, int64_t> labels;
  for (const json::value& line : lines()) {
    labels[std::string(line.at("file").as_string())] = line.at("outputs").at("label").as_int64();
    EXPECT_EQ(line.at("id").as_string(), "id-" + std::string(line.at("file").as_string()));
    EXPECT_EQ(line.at("device"), "press");
    EXPECT_EQ(line.at("share"), "camera");
    EXPECT_EQ(line.at("model_version"), "2");
    EXPECT_EQ(line.at("model_digest"), "sha256:ab");
    EXPECT_EQ(line.at("closed").as_string(), format_rfc3339(clock_.now(), 9));
  }
  EXPECT_EQ(labels, (std::map<std::string, int64_t>{{"p0.png", 0},
                                                    {"p1.png", 1},
                                                    {"p2.png", 2},
                                                    {"p3.png", 3},
                                                    {"p4.png", 4},
                                                    {"p5.png", 5}}));
  EXPECT_EQ(lines().size(), 6u);
  ASSERT_TRUE(eventually([&] { return fs::exists(folder_ / "ready/digits-00000003.json"); }));
  const FlowStatus status = flow.status();
  EXPECT_EQ(status.state, "running");
  EXPECT_EQ(status.answered, 6u);
  EXPECT_EQ(status.samples, 6u);
  EXPECT_EQ(status.last.size(), 6u);
}

TEST_F(FlowTest, ManyFilesAreAskedAboutOnceEach) {
  config_.answers->lines = 1000;
  for (int i = 0; i < 400; ++i) put_picture("p" + std::to_string(i) + ".png", 1);
  start();  // on a backlog: the queue is read while events of it end
  ASSERT_TRUE(eventually([&] { return counts().done == 400; }));
  EXPECT_EQ(serve_.asked, 400);
  EXPECT_EQ(lines().size(), 400u);
}

TEST_F(FlowTest, FilesAreAnsweredThroughTheLocalDoorAsLongAsItIsThere) {
  config_.answers->lines = 1000;
  {
    FakeDoor door(folder_ / "door");
    Flow& flow = start();
    for (int i = 0; i < 50; ++i) put_picture("p" + std::to_string(i) + ".png", 1);
    ASSERT_TRUE(eventually([&] { return counts().done == 50; }));
    EXPECT_EQ(door.asked, 50);
    EXPECT_LE(door.connections, 4);  // as many as files at a time
    EXPECT_EQ(flow.status().way, "local");
    EXPECT_EQ(serve_.asked, 0);
    door.answer_with(R"({"error":"no","code":"invalid_argument","kind":"invalid_argument"})");
    put_picture("refused.png", 2);
    ASSERT_TRUE(eventually([&] { return counts().failed == 1; }));
    EXPECT_EQ(
        json::parse(*read_file(folder_ / "camera/.set-aside/refused.png.reason.json")).at("reason"),
        "model_refused");
  }
  put_picture("late.png", 3);
  ASSERT_TRUE(eventually([&] { return counts().done == 51; }));
  EXPECT_EQ(serve_.asked, 1);
  EXPECT_EQ(life_->flows[0]->status().way, "http");
  EXPECT_EQ(lines().size(), 51u);
}

TEST_F(FlowTest, ABadFileIsSetAsideAndTheRestGoesOn) {
  start();
  put("broken.png", transform::testing::png(4, 4, {0, 8}).substr(0, 50));
  put("text.png", "text");
  put_picture("good.png", 9);
  ASSERT_TRUE(eventually([&] { return counts().done == 1 && counts().failed == 2; }));
  const auto reason = json::parse(*read_file(folder_ / "camera/.set-aside/broken.png.reason.json"));
  EXPECT_EQ(reason.at("reason"), "truncated_image");
  EXPECT_TRUE(fs::exists(folder_ / "camera/.set-aside/text.png"));
  EXPECT_FALSE(fs::exists(folder_ / "camera/text.png"));
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(FlowTest, AModelThatIsAwayLosesNothing) {
  for (const unsigned status : {404u, 503u}) {
    serve_.refuse_with = status;
    Flow& flow = start();
    put_picture("p" + std::to_string(status) + ".png", 1);
    ASSERT_TRUE(eventually([&] { return flow.status().state == "waiting"; }));
    EXPECT_EQ(counts().pending, 1u);
    EXPECT_FALSE(fs::exists(folder_ / "camera/.set-aside"));
    serve_.refuse_with = 0;
    ASSERT_TRUE(eventually([&] { return counts().pending == 0; }));
    EXPECT_TRUE(eventually([&] { return flow.status().state == "running"; }));
    stop();
  }
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(FlowTest, AModelThatDoesNotFitKeepsFilesPending) {
  serve_.width = 5;
  Flow& flow = start();
  put_picture("p.png", 1);
  ASSERT_TRUE(eventually([&] { return flow.status().state == "mismatch"; }));
  EXPECT_EQ(flow.status().message,
            "the recipe makes UINT8 [4], the model's input 'X' is UINT8 [-1,5]");
  EXPECT_EQ(counts().pending, 1u);
  serve_.width = 4;
  ASSERT_TRUE(eventually([&] { return counts().done == 1; }));
}

TEST_F(FlowTest, AnInputThatTheModelRefusesIsSetAside) {
  serve_.refuse_with = 400;
  start();
  put_picture("p.png", 1);
  ASSERT_TRUE(eventually([&] { return counts().failed == 1; }));
  EXPECT_EQ(json::parse(*read_file(folder_ / "camera/.set-aside/p.png.reason.json")).at("reason"),
            "model_refused");
}

TEST_F(FlowTest, ALineOfAnEarlierLifeIsNotRepeated) {
  // Killed after the line was durable, before the event was marked: with and without its file.
  put_picture("kept.png", 1);
  put_picture("gone.png", 2);
  fs::remove(folder_ / "camera/gone.png");
  {
    auto file = LineFile::open(folder_ / "answers", "answers", "digits", clock_);
    ASSERT_TRUE(file->append(
        {R"({"id":"id-kept.png","file":"kept.png"})", R"({"id":"id-gone.png","file":"gone.png"})"},
        {"id-kept.png", "id-gone.png"}));
  }
  start();
  put_picture("new.png", 3);
  ASSERT_TRUE(eventually([&] { return counts().done == 3 && closed_files() == 1; }));
  EXPECT_EQ(lines().size(), 3u);
  EXPECT_EQ(serve_.asked, 1);
  ASSERT_TRUE(eventually([&] { return fs::exists(folder_ / "ready/digits-00000001.json"); }));
  const auto rows =
      json::parse(*read_file(folder_ / "ready/digits-00000001.json")).at("rows").as_array();
  EXPECT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].at("event"), "id-kept.png");
}

TEST_F(FlowTest, APlannedBatchIsWrittenByTheNextLife) {
  for (const char* event : {"a", "b"}) {
    NewRow row;
    row.transform = "digits";
    row.shape = {4};
    row.type = transform::Type::uint8;
    row.row = {event, event, "ff", 4, 4, Bytes(4)};
    ASSERT_TRUE(
        database_->write_now([&](store::Tx& tx) { return add_row(tx, row, clock_.now()); }));
  }
  ASSERT_TRUE(database_->write_now([&](store::Tx& tx) -> Result<void> {
    TRY_VOID(plan_batch(tx, "digits", config_.batches->limits, clock_.now()));
    return {};
  }));
  start();
  ASSERT_TRUE(eventually([&] { return fs::exists(folder_ / "ready/digits-00000001.json"); }));
  EXPECT_TRUE(fs::exists(folder_ / "ready/digits-00000001.npy"));
}

TEST_F(FlowTest, TimeClosesFilesAndBatches) {
  config_.answers->after = milliseconds(10'000);
  config_.batches->limits.after = milliseconds(10'000);
  Flow& flow = start();
  put_picture("p.png", 1);
  ASSERT_TRUE(eventually([&] { return counts().done == 1; }));
  EXPECT_EQ(closed_files(), 0u);
  clock_.advance(std::chrono::seconds(11));
  flow.nudge();
  ASSERT_TRUE(eventually(
      [&] { return closed_files() == 1 && fs::exists(folder_ / "ready/digits-00000001.json"); }));
}

TEST_F(FlowTest, AFileThatChangedOrWentIsNotAnswered) {
  put_picture("changed.png", 1);
  put_picture("gone.png", 1);
  std::ofstream(folder_ / "camera/changed.png")
      << "longer than it was before, by far: the event of this is another one";
  fs::remove(folder_ / "camera/gone.png");
  start();
  ASSERT_TRUE(eventually([&] { return counts().done == 1 && counts().failed == 1; }));
  EXPECT_EQ(serve_.asked, 0);
  EXPECT_FALSE(fs::exists(folder_ / "camera/.set-aside"));
}

TEST_F(FlowTest, WithoutAModelOnlyBatches) {
  config_.answers.reset();
  start();
  put_picture("a.png", 1);
  put_picture("b.png", 2);
  ASSERT_TRUE(eventually([&] { return fs::exists(folder_ / "ready/digits-00000001.json"); }));
  EXPECT_TRUE(eventually([&] { return counts().done == 2; }));  // after the batch was planned
  EXPECT_EQ(serve_.asked, 0);
}

TEST_F(FlowTest, TheApiTellsTheState) {
  start();
  put_picture("p.png", 7);
  ASSERT_TRUE(eventually([&] { return counts().done == 1; }));
  http::Router router;
  mount(router, life_->flows, *events_, *database_);
  const http::LoopbackServer server(router);
  const auto get = [&](const char* path) {
    return *http::fetch(http::ClientRequest("GET", server.url(path)));
  };
  const auto transforms = json::parse(get("/api/v1/transforms").body).at("transforms").at(0);
  EXPECT_EQ(transforms.at("name"), "digits");
  EXPECT_EQ(transforms.at("done").to_number<int>(), 1);
  EXPECT_EQ(transforms.at("batches").at("waiting").to_number<int>(), 1);
  const auto answers = json::parse(get("/api/v1/answers?limit=1").body).at("answers").at(0);
  EXPECT_EQ(answers.at("answered").to_number<int>(), 1);
  EXPECT_EQ(answers.at("latency").at("count").to_number<int>(), 1);
  EXPECT_EQ(answers.at("last").at(0).at("outputs").at("label").to_number<int>(), 7);
  EXPECT_EQ(get("/api/v1/answers?limit=x").status, 400u);
}

}  // namespace
}  // namespace holdfast::answers
