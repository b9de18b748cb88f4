#include "base/clock.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

const WallTime kTime = WallTime(seconds(784111777) + nanoseconds(123456789));

TEST(HttpDate, RoundTrip) {
  EXPECT_EQ(format_http_date(kTime), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(*parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), WallTime(seconds(784111777)));
  for (const char* bad : {"", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Xxx 1994 08:49:37 GMT",
                          "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
                          "Sunday, 06-Nov-94 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

TEST(Rfc3339, RoundTrip) {
  EXPECT_EQ(format_rfc3339(kTime, 0), "1994-11-06T08:49:37Z");
  EXPECT_EQ(format_rfc3339(kTime), "1994-11-06T08:49:37.123Z");
  EXPECT_EQ(format_rfc3339(kTime, 9), "1994-11-06T08:49:37.123456789Z");
  EXPECT_EQ(*parse_rfc3339("1994-11-06T08:49:37.123456789Z"), kTime);
  EXPECT_EQ(*parse_rfc3339("1994-11-06T09:49:37.123456789+01:00"), kTime);
  EXPECT_EQ(format_rfc3339(*parse_rfc3339("2026-11-24"), 0), "2026-11-24T00:00:00Z");
  EXPECT_EQ(format_rfc3339(*parse_rfc3339("2026-11-24T12:54Z"), 0), "2026-11-24T12:54:00Z");
  EXPECT_EQ(format_rfc3339(WallTime(nanoseconds(-1)), 0), "1969-12-31T23:59:59Z");
}

TEST(Rfc3339, RefusesWhatIsNot) {
  for (const char* bad :
       {"", "2026", "2026-13-01", "2026-02-30", "2026-11-24T", "2026-11-24T12:54",
        "2026-11-24T12:54:61Z", "2026-11-24T12:54:00.Z", "2026-11-24T12:54:00Zx", "yesterday"}) {
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
  }
}

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock;
  const WallTime before = clock.now();
  const MonoTime mono = clock.monotonic();
  clock.advance(seconds(5));
  EXPECT_EQ(clock.now() - before, seconds(5));
  EXPECT_EQ(clock.monotonic() - mono, seconds(5));
}

TEST(Clock, DatesBeyondItsReachAreItsEnds) {
  const WallTime now = SystemClock().now();
  for (const char* late :
       {"9999-12-31T23:59:59Z", "2263-01-01", "9999-12-31T23:59:59.9999999-23:59"})
    EXPECT_GT(*parse_rfc3339(late), now) << late;
  for (const char* early : {"0001-01-01T00:00:00Z", "1600-01-01", "0001-01-01T00:00:00+23:59"})
    EXPECT_LT(*parse_rfc3339(early), WallTime()) << early;
  EXPECT_GT(*parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT"), now);
  EXPECT_LT(*parse_http_date("Mon, 01 Jan 0001 00:00:00 GMT"), WallTime());
}

}  // namespace
}  // namespace holdfast
