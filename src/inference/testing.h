// A repository in a folder of its own with the fake engine behind it, and short words for what
// tests do with it. For tests alone.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/files.h"
#include "inference/fake_engine.h"
#include "inference/repository.h"

namespace holdfast::inference {

namespace fs = std::filesystem;

class RepositoryTest : public ::testing::Test {
 public:
  RepositoryTest() {
    char name[] = "/tmp/repository_test.XXXXXX";
    folder_ = ::mkdtemp(name);
    open();
  }
  ~RepositoryTest() override {
    repository_.reset();
    EXPECT_EQ(engine_.alive(), 0);
    fs::remove_all(folder_);
  }

 protected:
  void open() {
    repository_.reset();
    repository_ = std::move(*Repository::open(folder_, engine_));
  }
  Result<LoadedPtr> put(int64_t version, const std::string& bytes, const std::string& name = "m",
                        uint64_t limit = 1 << 20) {
    MemorySource source(bytes);
    return run_task(repository_->put(name, version, source, limit));
  }
  void plant(int64_t version, const std::string& bytes) {
    const std::string path = folder_ + "/m/" + std::to_string(version);
    fs::create_directories(path);
    std::ofstream(path + "/model.onnx") << bytes;
  }
  static float answer(Loaded& loaded) {
    TensorView one;
    one.name = "x";
    one.shape = {1, 2};
    static constexpr float kOnes[] = {1, 1};
    one.data = std::as_bytes(std::span(kOnes));
    float value = 0;
    std::memcpy(&value, loaded.model->run({one}, {})->at(0).data.data(), sizeof value);
    return value;
  }
  float current() { return answer(**repository_->find("m")); }
  std::string state() {  // "1:READY* 2:UNAVAILABLE(why)"
    std::string out;
    for (const Entry& entry : repository_->list()) {
      out += (out.empty() ? "" : " ") + std::to_string(entry.version) + ":" + entry.state +
             (entry.current ? "*" : "") + (entry.reason.empty() ? "" : "(" + entry.reason + ")");
    }
    return out;
  }
  size_t leftovers() const {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder_))
      count += entry.path().filename().string().starts_with(".") ? 1 : 0;
    return count;
  }

  FakeEngine engine_;
  std::string folder_;
  std::unique_ptr<Repository> repository_;
};

}  // namespace holdfast::inference
