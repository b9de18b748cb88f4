// Time, passed in. Nothing but SystemClock asks the machine what time it is.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;
using MonoTime = std::chrono::steady_clock::time_point;

// Any thread may call.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;        // UTC
  virtual MonoTime monotonic() const = 0;  // for time-outs; never steps back
};

class SystemClock final : public Clock {
 public:
  WallTime now() const override;
  MonoTime monotonic() const override;
};

// Stands still until told; both times move together.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000)))
      : nanos_(start.time_since_epoch().count()) {}
  WallTime now() const override { return WallTime(std::chrono::nanoseconds(nanos_.load())); }
  MonoTime monotonic() const override { return MonoTime(std::chrono::nanoseconds(nanos_.load())); }
  void advance(std::chrono::nanoseconds by) { nanos_ += by.count(); }

 private:
  std::atomic<int64_t> nanos_;
};

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 IMF-fixdate, one-second resolution).
std::string format_http_date(WallTime time);
// invalid_argument unless IMF-fixdate.
Result<WallTime> parse_http_date(std::string_view text);
// "2026-11-24T12:54:00.123Z"; `digits` of the fraction: 0, 3, 6, 7 or 9.
std::string format_rfc3339(WallTime time, int digits = 3);
// RFC 3339 with Z or an offset, any fraction; also the shorter forms that SAS allows ("2026-11-24",
// "2026-11-24T12:54Z"). invalid_argument.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace holdfast
