// The inference server beside the edge: finds its address, starts and watches it where it is
// managed.
#pragma once

#include <memory>
#include <string>

#include "config.h"
#include "supervisor/supervisor.h"

namespace holdfast {

class Serve {
 public:
  // Picks a free port where the configuration says 0. conflict naming the holder: the port is taken
  // by another program, for longer than a dying predecessor needs; not_found: no holdfast-serve
  // beside this program. Blocking.
  static Result<std::unique_ptr<Serve>> start(const EdgeConfig& config);
  void stop();  // blocking

  const std::string& address() const {
    return address_;
  }  // "127.0.0.1:8000"; empty where none is wanted
  const std::string& local() const { return local_; }  // path of its local door; empty: none
  bool managed() const { return supervisor_ != nullptr; }
  supervisor::Status status() const;  // of a managed one

 private:
  std::string address_, local_;
  std::unique_ptr<supervisor::Supervisor> supervisor_;
};

}  // namespace holdfast
