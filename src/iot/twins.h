// Twins: what a device or module should be, and what it says that it is.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "iot/devices.h"
#include "iot/types.h"

namespace holdfast::iot {

// A change that a service asks for; nullopt leaves a part alone.
struct TwinChange {
  std::optional<boost::json::object> tags, desired;
};

// Any thread may call. What was returned as done is on disk. Common failures: not_found,
// invalid_argument, too_large, precondition_failed (etag).
class Twins {
 public:
  Twins(store::Database& database, Devices& devices, const Clock& clock)
      : database_(database), devices_(devices), clock_(clock) {}

  Task<Result<Twin>> get(Address address);
  // Merges; returns the new twin.
  Task<Result<Twin>> patch(Address address, TwinChange change, IfMatch condition);
  // The parts given are replaced whole.
  Task<Result<Twin>> replace(Address address, TwinChange change, IfMatch condition);
  // A device's own patch; returns the new $version of the reported section.
  Task<Result<uint64_t>> patch_reported(Address address, boost::json::object patch);
  // A deployment: {"modulesContent":{"$edgeAgent":{"properties.desired":{…}},…}} or deviceContent,
  // all or nothing. Desired sections are replaced; the modules that it names, and that $edgeAgent
  // is to run, get identities; modules managed by the edge that are no longer named are removed.
  Task<Result<void>> apply_configuration(std::string device, boost::json::object content);

  // Called with each change of a desired section: its $version and the patch (with "$version"), in
  // their order. On any thread, after the change is on disk. Set before use.
  void on_desired(std::function<void(const Address&, uint64_t version, std::string patch)> call) {
    on_desired_ = std::move(call);
  }

 private:
  struct Changed {
    Address address;
    uint64_t version;
    boost::json::object patch;
  };
  Task<Result<Twin>> change(Address address, TwinChange change, IfMatch condition, bool replace);
  // Around each write of desired sections: before it; inside it with the twin as it was; when it is
  // durable, with what it changed (nothing where it failed).
  void begin(const std::vector<Address>& addresses);
  void note(const Twin& before);
  void end(const std::vector<Address>& addresses, std::vector<Changed> changes);
  void tell(Changed change);

  store::Database& database_;
  Devices& devices_;
  const Clock& clock_;
  std::function<void(const Address&, uint64_t, std::string)> on_desired_;
  // Commits may be told in another order than they were made in. A change waits for those of
  // earlier versions, as long as there are writers under way that may bring them.
  struct Telling {
    size_t writers = 0;
    std::optional<uint64_t> told;  // the last version that was told, or the first writer found
    std::multimap<uint64_t, Changed> changes;  // by version
  };
  std::mutex mutex_;
  std::map<Address, Telling> telling_;
};

}  // namespace holdfast::iot
