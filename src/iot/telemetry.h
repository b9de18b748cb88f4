// What devices said: a log in iot.db, read by sequence, bounded by count, bytes and age.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "iot/types.h"
#include "net/wake.h"
#include "store/database/database.h"

namespace holdfast::iot {

struct Retention {
  uint64_t messages = 1'000'000;
  uint64_t bytes = 1ull << 30;  // of bodies and properties
  std::chrono::hours age{24 * 7};
};

// Any thread may call.
class Telemetry {
 public:
  // After Devices::open(), which migrates. `database` and `clock` must outlive it.
  Telemetry(store::Database& database, const Clock& clock, Retention retention = {});

  // Returns the message's sequence when it is on disk.
  Task<Result<uint64_t>> append(Address from, Properties properties, std::string body);
  // Messages after that sequence, at most `limit`; of one device, or of all where it is empty.
  // Dropped ones leave a gap.
  Task<Result<std::vector<Message>>> read(std::string device, uint64_t after, size_t limit);
  // As read(), but waits for the first one, at most `most`; then it is empty. unavailable
  // (throttled): too many wait.
  Task<Result<std::vector<Message>>> wait(std::string device, uint64_t after, size_t limit,
                                          std::chrono::milliseconds most);
  // Drops what is over the retention; call now and then. Returns how many.
  Task<Result<uint64_t>> sweep();

 private:
  void tell();

  store::Database& database_;
  const Clock& clock_;
  const Retention retention_;
  std::mutex mutex_;
  std::set<std::shared_ptr<Wake>> waiting_;
};

}  // namespace holdfast::iot
