// Conditions, row by row as "Specifying conditional headers for Blob service operations" has them.
#include <gtest/gtest.h>

#include "blob/testing.h"

namespace holdfast::blob {
namespace {

constexpr uint64_t kEtag = 17, kOther = 18;
constexpr auto kSecond = std::chrono::seconds(1);
// Between two seconds, as real times are.
const WallTime kModified(std::chrono::seconds(1'700'000'000) + std::chrono::milliseconds(400));
const WallTime kSame(std::chrono::seconds(1'700'000'000));
const WallTime kBefore = kSame - kSecond, kAfter = kSame + kSecond;

Info there() {
  Info info;
  info.name = "x";
  info.etag = kEtag;
  info.modified = kModified;
  return info;
}

struct Given {
  std::optional<uint64_t> if_match, if_none_match;
  std::optional<WallTime> if_modified_since, if_unmodified_since;
  bool create_only = false;
};
Conditions conditions(const Given& given) {
  Conditions out;
  out.if_match = given.if_match;
  out.if_none_match = given.if_none_match;
  out.if_modified_since = given.if_modified_since;
  out.if_unmodified_since = given.if_unmodified_since;
  out.create_only = given.create_only;
  return out;
}

struct WriteRow {
  const char* what;
  Given given;
  // To replace or to change what is there; to make what is not.
  const char *replace, *change, *absent;
};

constexpr const char* kNotMet = "condition_not_met";

const WriteRow kWrites[] = {
    {"none", {}, "", "", ""},
    {"If-Match of it", {.if_match = kEtag}, "", "", kNotMet},
    {"If-Match of another", {.if_match = kOther}, kNotMet, kNotMet, kNotMet},
    {"If-Match: *", {.if_match = Conditions::kAny}, "", "", kNotMet},
    {"If-None-Match of it", {.if_none_match = kEtag}, kNotMet, kNotMet, ""},
    {"If-None-Match of another", {.if_none_match = kOther}, "", "", ""},
    {"If-None-Match: *", {.if_none_match = Conditions::kAny}, "blob_exists", "", ""},
    {"modified since before", {.if_modified_since = kBefore}, "", "", ""},
    {"modified since the same second", {.if_modified_since = kSame}, kNotMet, kNotMet, ""},
    {"modified since after", {.if_modified_since = kAfter}, kNotMet, kNotMet, ""},
    {"unmodified since before", {.if_unmodified_since = kBefore}, kNotMet, kNotMet, ""},
    {"unmodified since the same second", {.if_unmodified_since = kSame}, "", "", ""},
    {"unmodified since after", {.if_unmodified_since = kAfter}, "", "", ""},
    {"an ETag decides alone", {.if_match = kEtag, .if_unmodified_since = kBefore}, "", "", kNotMet},
    {"an ETag that differs decides alone",
     {.if_none_match = kOther, .if_modified_since = kAfter},
     "",
     "",
     ""},
    {"may create", {.create_only = true}, "overwrite_denied", "", ""},
    {"may create, and the ETag fits",
     {.if_match = kEtag, .create_only = true},
     "overwrite_denied",
     "",
     kNotMet},
};

TEST(Conditions, OfWrites) {
  for (const WriteRow& row : kWrites) {
    const Conditions given = conditions(row.given);
    EXPECT_EQ(reason_of(check_write(given, there(), Write::replace)), row.replace) << row.what;
    EXPECT_EQ(reason_of(check_write(given, there(), Write::change)), row.change) << row.what;
    EXPECT_EQ(reason_of(check_write(given, std::nullopt, Write::replace)), row.absent) << row.what;
  }
}

constexpr const char* kNotModified = "not_modified";

const std::tuple<const char*, Given, const char*> kReads[] = {
    {"none", {}, ""},
    {"If-Match of it", {.if_match = kEtag}, ""},
    {"If-Match: *", {.if_match = Conditions::kAny}, ""},
    {"If-Match of another", {.if_match = kOther}, kNotMet},
    {"If-None-Match of it", {.if_none_match = kEtag}, kNotModified},
    {"If-None-Match of another", {.if_none_match = kOther}, ""},
    {"If-None-Match: *", {.if_none_match = Conditions::kAny}, "unsatisfiable_condition"},
    {"modified since before", {.if_modified_since = kBefore}, ""},
    {"modified since the same second", {.if_modified_since = kSame}, kNotModified},
    {"modified since after", {.if_modified_since = kAfter}, kNotModified},
    {"unmodified since before", {.if_unmodified_since = kBefore}, kNotMet},
    {"unmodified since the same second", {.if_unmodified_since = kSame}, ""},
    {"unmodified since after", {.if_unmodified_since = kAfter}, ""},
    {"the ETag differs, the time does not",
     {.if_none_match = kOther, .if_modified_since = kAfter},
     ""},
    {"the time is later, the ETag the same",
     {.if_none_match = kEtag, .if_modified_since = kBefore},
     ""},
    {"neither", {.if_none_match = kEtag, .if_modified_since = kAfter}, kNotModified},
    {"the ETag fits, the time does not",
     {.if_match = kEtag, .if_unmodified_since = kBefore},
     kNotMet},
    {"a precondition goes before a cache's question",
     {.if_match = kOther, .if_none_match = kEtag},
     kNotMet},
    {"may create says nothing about reading", {.create_only = true}, ""},
};

TEST(Conditions, OfReads) {
  for (const auto& [what, given, expected] : kReads)
    EXPECT_EQ(reason_of(check_read(conditions(given), there())), expected) << what;
}

}  // namespace
}  // namespace holdfast::blob
