// What is remembered about every model's versions, in memory as on the disk (life.h).
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "inference/life.h"

namespace holdfast::inference {

// Any thread may call. `directory`: <models>.
class Lives {
 public:
  explicit Lives(std::string directory) : directory_(std::move(directory)) {}

  // Reads what is known of the model, and takes the death of the last process into it. What cannot
  // be read or written is logged.
  Life begin(const std::string& name, const Death& death, const QuarantineOptions& options);
  Life of(std::string_view name) const;
  // Durable when it returns; the model's folder is there.
  Result<void> change(const std::string& name, const std::function<void(Life&)>& how);
  void forget(const std::string& name);  // whose folder is gone

  // conflict with the reason "held": that version may not serve.
  Result<void> check_free(const std::string& name, int64_t version) const;
  // The last that may serve, else the last. `versions` ascend, and there is one.
  int64_t newest_free(const std::string& name, const std::vector<int64_t>& versions) const;

 private:
  const std::string directory_;
  std::mutex changing_;  // one change at a time
  mutable std::mutex mutex_;
  std::map<std::string, Life, std::less<>> lives_;  // of which there is something to say
};

}  // namespace holdfast::inference
