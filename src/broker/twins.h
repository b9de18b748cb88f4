// The twins of this device's modules, as last heard from the hub, and what they reported that the
// hub does not have yet. On disk, so that modules find their twin where the hub is away.
#pragma once

#include <boost/json/object.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "store/database/database.h"

namespace holdfast::broker {

// Any thread may call. After MessageQueue::open() migrated the component.
class ModuleTwins {
 public:
  static Result<std::unique_ptr<ModuleTwins>> open(store::Database& database);

  // {"desired":{…,"$version":n},"reported":{…,"$version":n}}; not_found: none was heard of yet.
  Result<boost::json::object> get(const std::string& module) const;

  // A module's own patch. Durable when it returns; the new version. invalid_argument: a null or
  // a '$' where none may be; too_large: over 32 KiB.
  Task<Result<int64_t>> patch_reported(std::string module, boost::json::object patch);
  // What the hub shall get; empty: nothing.
  boost::json::object pending(const std::string& module) const;
  // The hub has `sent`, which pending() gave.
  Task<Result<void>> accepted(std::string module, boost::json::object sent);

  // The hub's whole twin. Returns the patch of the desired properties against what was known (with
  // $version), nullopt where nothing changed.
  Task<Result<std::optional<boost::json::object>>> refresh(std::string module,
                                                           boost::json::object twin);
  // A patch of the desired properties with its $version. False where it does not follow on what is
  // known: then the whole twin is needed.
  Task<Result<bool>> patch_desired(std::string module, boost::json::object patch);
  Task<Result<void>> drop(std::string module);

 private:
  explicit ModuleTwins(store::Database& database) : database_(database) {}
  struct Twin {
    boost::json::object desired, reported, pending;
  };
  Task<Result<void>> keep(std::string module);
  Twin copy(const std::string& module) const;
  store::Database& database_;
  mutable std::mutex mutex_;
  std::map<std::string, Twin> twins_;
};

}  // namespace holdfast::broker
