// The seam to the hub, and a complete fake.
#pragma once

#include <boost/json/object.hpp>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "device_wire/properties.h"
#include "net/task.h"

namespace holdfast::broker {

// Any thread may call. Common failures: unavailable, timed_out: it may have arrived.
class Upstream {
 public:
  virtual ~Upstream() = default;
  virtual bool connected() const = 0;
  // A message of a module ("" for the edge itself); the hub has it when this returns.
  virtual Task<Result<void>> send(std::string module, device_wire::Properties properties,
                                  std::string body) = 0;
  // {"desired":{…},"reported":{…}}, each with its $version.
  virtual Task<Result<boost::json::object>> twin(std::string module) = 0;
  virtual Task<Result<void>> patch_reported(std::string module, boost::json::object patch) = 0;
};

class MemoryUpstream final : public Upstream {
 public:
  struct Sent {
    std::string module;
    device_wire::Properties properties;
    std::string body;
  };
  bool connected() const override;
  Task<Result<void>> send(std::string module, device_wire::Properties properties,
                          std::string body) override;
  Task<Result<boost::json::object>> twin(std::string module) override;
  Task<Result<void>> patch_reported(std::string module, boost::json::object patch) override;

  void set_connected(bool connected);
  void fail_next(Error error);  // the next call
  std::vector<Sent> sent() const;
  // Changes the desired properties there; the patch with its new $version.
  boost::json::object desire(const std::string& module, boost::json::object patch);
  boost::json::object reported(const std::string& module) const;

 private:
  Result<void> here();
  mutable std::mutex mutex_;
  bool connected_ = true;
  std::vector<Error> failures_;
  std::vector<Sent> sent_;
  struct Twin {
    boost::json::object desired, reported;
    int64_t desired_version = 1, reported_version = 1;
  };
  std::map<std::string, Twin> twins_;
};

}  // namespace holdfast::broker
