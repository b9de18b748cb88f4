#include "base/clock.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace holdfast {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Reads exactly `width` digits at the front of `text` and drops them; -1 where there are fewer.
int take_digits(std::string_view& text, size_t width) {
  if (text.size() < width) return -1;
  int value = 0;
  for (size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

// Two of them.
void put_digits(std::string& text, size_t at, int value) {
  text[at] = static_cast<char>('0' + value / 10);
  text[at + 1] = static_cast<char>('0' + value % 10);
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

Result<WallTime> from_civil(int y, int mon, int d, int h, int min, int s, std::string_view text) {
  using namespace std::chrono;
  const year_month_day day{year(y), month(static_cast<unsigned>(mon)),
                           std::chrono::day(static_cast<unsigned>(d))};
  if (y < 0 || !day.ok() || h < 0 || h > 23 || min < 0 || min > 59 || s < 0 || s > 60) {
    return fail(Code::invalid_argument, "not a time: '" + std::string(text) + "'");
  }
  // Nanoseconds reach from 1677 to 2262. Others stand for "never" and "always", as the expiry of a
  // SAS in 9999: they are the ends, less what an offset may add.
  constexpr seconds kLast = floor<seconds>(WallTime::max().time_since_epoch()) - days(2);
  const seconds at = sys_days(day).time_since_epoch() + hours(h) + minutes(min) + seconds(s);
  return WallTime(std::clamp(at, -kLast, kLast));
}

}  // namespace

WallTime SystemClock::now() const {
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  return WallTime(seconds(ts.tv_sec) + nanoseconds(ts.tv_nsec));
}

MonoTime SystemClock::monotonic() const {
  return std::chrono::steady_clock::now();
}

std::string format_http_date(WallTime time) {
  const std::time_t t = duration_cast<seconds>(time.time_since_epoch()).count();
  // What is asked for in a row is mostly of one second: a listing of what was written together.
  thread_local std::time_t last = -1;
  thread_local std::string text;
  if (t == last && !text.empty()) return text;
  std::tm tm{};
  gmtime_r(&t, &tm);
  // A WallTime's year has four digits.
  text.assign("Day, 00 Mon 0000 00:00:00 GMT");
  text.replace(0, 3, kDays[static_cast<size_t>(tm.tm_wday)]);
  text.replace(8, 3, kMonths[static_cast<size_t>(tm.tm_mon)]);
  put_digits(text, 5, tm.tm_mday);
  put_digits(text, 12, (tm.tm_year + 1900) / 100);
  put_digits(text, 14, (tm.tm_year + 1900) % 100);
  put_digits(text, 17, tm.tm_hour);
  put_digits(text, 20, tm.tm_min);
  put_digits(text, 23, tm.tm_sec);
  last = t;
  return text;
}

Result<WallTime> parse_http_date(std::string_view text) {
  std::string_view rest = text;
  if (rest.size() != 29 || rest.substr(26) != "GMT") {
    return fail(Code::invalid_argument, "not an HTTP date: '" + std::string(text) + "'");
  }
  rest.remove_prefix(5);
  const int d = take_digits(rest, 2);
  rest.remove_prefix(1);
  int mon = 0;
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (rest.starts_with(kMonths[i])) mon = static_cast<int>(i) + 1;
  }
  rest.remove_prefix(4);
  const int y = take_digits(rest, 4);
  if (!take(rest, ' ')) return fail(Code::invalid_argument, "not an HTTP date");
  const int h = take_digits(rest, 2);
  const bool c1 = take(rest, ':');
  const int min = take_digits(rest, 2);
  const bool c2 = take(rest, ':');
  const int s = take_digits(rest, 2);
  if (!c1 || !c2)
    return fail(Code::invalid_argument, "not an HTTP date: '" + std::string(text) + "'");
  return from_civil(y, mon, d, h, min, s, text);
}

std::string format_rfc3339(WallTime time, int digits) {
  const auto whole = std::chrono::floor<seconds>(time);
  const std::time_t t = whole.time_since_epoch().count();
  std::tm tm{};
  gmtime_r(&t, &tm);
  char out[80];
  int n = std::snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
  if (digits > 0) {
    int64_t fraction = (time - whole).count();
    for (int i = digits; i < 9; ++i) fraction /= 10;
    n += std::snprintf(out + n, sizeof out - static_cast<size_t>(n), ".%0*lld", digits,
                       static_cast<long long>(fraction));
  }
  return std::string(out, static_cast<size_t>(n)) + "Z";
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  const auto bad = [&] {
    return fail(Code::invalid_argument, "not an RFC 3339 time: '" + std::string(text) + "'");
  };
  std::string_view rest = text;
  const int y = take_digits(rest, 4);
  if (y < 0 || !take(rest, '-')) return bad();
  const int mon = take_digits(rest, 2);
  if (mon < 0 || !take(rest, '-')) return bad();
  const int d = take_digits(rest, 2);
  if (d < 0) return bad();
  if (rest.empty()) return from_civil(y, mon, d, 0, 0, 0, text);
  if (!take(rest, 'T') && !take(rest, 't') && !take(rest, ' ')) return bad();
  const int h = take_digits(rest, 2);
  if (h < 0 || !take(rest, ':')) return bad();
  const int min = take_digits(rest, 2);
  if (min < 0) return bad();
  int s = 0;
  int64_t fraction = 0;
  if (take(rest, ':')) {
    s = take_digits(rest, 2);
    if (s < 0) return bad();
    if (take(rest, '.')) {
      int64_t scale = 100'000'000;
      size_t seen = 0;
      while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
        fraction += (rest[0] - '0') * scale;
        scale /= 10;
        rest.remove_prefix(1);
        ++seen;
      }
      if (seen == 0) return bad();
    }
  }
  int offset_minutes = 0;
  if (!take(rest, 'Z') && !take(rest, 'z')) {
    const int sign = take(rest, '+') ? 1 : take(rest, '-') ? -1 : 0;
    if (sign == 0) return bad();
    const int oh = take_digits(rest, 2);
    take(rest, ':');
    const int om = take_digits(rest, 2);
    if (oh < 0 || om < 0) return bad();
    offset_minutes = sign * (oh * 60 + om);
  }
  if (!rest.empty()) return bad();
  TRY(WallTime time, from_civil(y, mon, d, h, min, s, text));
  return time + nanoseconds(fraction) - std::chrono::minutes(offset_minutes);
}

}  // namespace holdfast
