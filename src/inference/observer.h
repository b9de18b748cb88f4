// What sees answered requests, whatever door they came by. With none a request pays nothing.
#pragma once

#include <string>

#include "inference/scheduler.h"

namespace holdfast::inference {

class Observer {
 public:
  virtual ~Observer() = default;
  // After the run, before the answer is sent, on any thread: it must not wait, nor keep what it is
  // given, which ends with the request.
  virtual void answered(const Loaded& loaded, const Inputs& inputs, const Outputs& outputs,
                        const RunOptions& options) noexcept = 0;
  // Families of Prometheus' text format.
  virtual std::string metrics() const = 0;
};

}  // namespace holdfast::inference
