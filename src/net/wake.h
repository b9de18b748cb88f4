// A flag that one task waits for and any thread raises.
#pragma once

#include <chrono>
#include <memory>

#include "net/task.h"

namespace holdfast {

class Wake {
 public:
  Wake();
  ~Wake();
  void notify();  // any thread
  Task<void> wait(
      std::chrono::milliseconds most);  // returns at once where it was raised since the last wait

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast
