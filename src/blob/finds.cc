#include "blob/finds.h"

#include <algorithm>

#include "blob/rows.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;
using store::Value;

// Of so many candidates a page is made at most: one request never reads without end.
constexpr size_t kCandidates = 10'000;
constexpr int64_t kCounted = 1'000;            // from here on, one list is as long as another
constexpr std::string_view kHighest = "\x7f";  // beyond all that a tag's value may hold

// What the tests of one key leave of its values.
struct KeyRange {
  std::string key, low, high = std::string(kHighest);
  bool low_itself = true, high_itself = true;

  bool holds(std::string_view value) const {
    return (low_itself ? value >= low : value > low) &&
           (high_itself ? value <= high : value < high);
  }
};

struct Position {
  size_t driver = 0;  // the range whose part of the index is walked
  std::string value;
  int64_t container = 0;
  std::string name;
};

std::string marker_of(const Position& at) {
  return std::to_string(at.driver) + "." + std::to_string(at.container) + "." +
         std::to_string(at.value.size()) + "." + at.value + at.name;
}

Result<Position> position_in(std::string_view marker, size_t drivers) {
  Position at;
  uint64_t numbers[3] = {};
  for (uint64_t& number : numbers) {
    const size_t dot = marker.find('.');
    const auto value = parse_u64(marker.substr(0, dot));
    if (dot == std::string_view::npos || !value || *value > INT64_MAX)
      return fail(Code::invalid_argument, "invalid_query", "the marker is not one of this server");
    number = *value;
    marker.remove_prefix(dot + 1);
  }
  if (numbers[0] >= drivers || numbers[2] > marker.size())
    return fail(Code::invalid_argument, "invalid_query", "the marker is not one of this query");
  at.driver = numbers[0];
  at.container = static_cast<int64_t>(numbers[1]);
  at.value = std::string(marker.substr(0, numbers[2]));
  at.name = std::string(marker.substr(numbers[2]));
  return at;
}

std::vector<KeyRange> ranges_of(const std::vector<TagTest>& tests) {
  std::vector<KeyRange> ranges;
  for (const TagTest& test : tests) {
    auto found = std::find_if(ranges.begin(), ranges.end(),
                              [&](const KeyRange& range) { return range.key == test.key; });
    if (found == ranges.end()) {
      found = ranges.emplace(ranges.end());
      found->key = test.key;
    }
    if (test.compare != TagTest::less && test.compare != TagTest::at_most) {
      found->low = test.value;
      found->low_itself = test.compare != TagTest::greater;
    }
    if (test.compare != TagTest::greater && test.compare != TagTest::at_least) {
      found->high = test.value;
      found->high_itself = test.compare != TagTest::less;
    }
  }
  return ranges;
}

class Finder {
 public:
  // `container` 0: all of the account's.
  Finder(Tx& tx, const std::string& account, int64_t container, std::vector<KeyRange> ranges,
         WallTime now)
      : tx_(tx),
        account_(account),
        container_(container),
        ranges_(std::move(ranges)),
        now_(nanos(now)) {}

  Result<FindPage> page(const std::string& marker, size_t limit) {
    Position from;
    if (marker.empty()) {
      TRY(from.driver, rarest());
      from.value = ranges_[from.driver].low;
    } else {
      TRY(from, position_in(marker, ranges_.size()));
    }
    FindPage page;
    TRY(const std::vector<Position> candidates, walk(from, limit));
    for (const Position& at : candidates) {
      if (page.items.size() == limit) {
        page.next = marker_of(at);
        return page;
      }
      TRY_VOID(look(at, page));
    }
    if (more_) page.next = marker_of(*more_);
    return page;
  }

 private:
  // Those of the range from here on, in the order of the index.
  Result<std::vector<Position>> walk(const Position& from, size_t limit) {
    const KeyRange& range = ranges_[from.driver];
    const size_t enough = ranges_.size() == 1 ? std::min(limit, kCandidates) : kCandidates;
    std::vector<Position> out;
    const auto take = [&](const Row& row) {
      Position at;
      at.driver = from.driver;
      at.value = std::string(row.text(0));
      at.container = row.integer(1);
      at.name = std::string(row.text(2));
      if (at.value > range.high || (at.value == range.high && !range.high_itself)) return false;
      if (!range.holds(at.value)) return true;  // the lower bound itself
      if (out.size() == enough) {
        more_ = std::move(at);
        return false;
      }
      out.push_back(std::move(at));
      return true;
    };
    if (container_ != 0) {
      TRY_VOID(
          tx_.each("SELECT value, container, blob FROM blob_tag WHERE container = ? AND key = "
                   "? AND (value, blob) >= (?, ?) ORDER BY value, blob",
                   {container_, std::string_view(range.key), std::string_view(from.value),
                    std::string_view(from.name)},
                   take));
    } else {
      TRY_VOID(
          tx_.each("SELECT value, container, blob FROM blob_tag WHERE account = ? AND key = ? "
                   "AND (value, container, blob) >= (?, ?, ?) ORDER BY value, container, blob",
                   {std::string_view(account_), std::string_view(range.key),
                    std::string_view(from.value), from.container, std::string_view(from.name)},
                   take));
    }
    return out;
  }

  Result<void> look(const Position& at, FindPage& page) {
    return tx_.each(
        "SELECT container.name, blob.tags FROM blob JOIN container ON container.id = "
        "blob.container WHERE blob.container = ? AND blob.name = ? AND " +
            std::string(kNotExpired),
        {at.container, std::string_view(at.name), now_}, [&](const Row& row) {
          FoundTagged found;
          for (auto& [key, value] : pairs_from_json(row.text(1))) {
            for (const KeyRange& range : ranges_) {
              if (range.key == key && range.holds(value)) found.tags.emplace_back(key, value);
            }
          }
          if (found.tags.size() != ranges_.size()) return false;
          found.container = std::string(row.text(0));
          found.name = at.name;
          page.items.push_back(std::move(found));
          return false;
        });
  }

  Result<size_t> rarest() {
    size_t best = 0;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < ranges_.size() && ranges_.size() > 1; ++i) {
      const KeyRange& range = ranges_[i];
      const std::string sql = std::string("SELECT count(*) FROM (SELECT 1 FROM blob_tag WHERE ") +
                              (container_ != 0 ? "container = ?" : "account = ?") +
                              " AND key = ? AND value >= ? AND value <= ? LIMIT ?)";
      const Value scope = container_ != 0 ? Value(container_) : Value(std::string_view(account_));
      int64_t count = 0;
      TRY_VOID(tx_.each(sql,
                        {scope, std::string_view(range.key), std::string_view(range.low),
                         std::string_view(range.high), kCounted},
                        [&](const Row& row) {
                          count = row.integer(0);
                          return false;
                        }));
      if (count < least) {
        least = count;
        best = i;
      }
    }
    return best;
  }

  Tx& tx_;
  const std::string& account_;
  int64_t container_;
  std::vector<KeyRange> ranges_;
  int64_t now_;
  std::optional<Position> more_;
};

}  // namespace

Task<Result<FindPage>> find_by_tags(Blobs& blobs, FindQuery query) {
  const WallTime now = blobs.clock().now();
  auto work = [query, now](Tx& tx) -> Result<FindPage> {
    std::vector<TagTest> tests = query.tests;
    std::string container = query.container;
    bool elsewhere = false;
    std::erase_if(tests, [&](const TagTest& test) {
      if (test.key != "@container") return false;
      elsewhere = elsewhere || (!container.empty() && container != test.value);
      container = test.value;
      return true;
    });
    int64_t id = 0;
    if (!query.container.empty()) {
      TRY(const FoundContainer in, find_container(tx, query.account, query.container));
      id = in.id;
    }
    if (tests.empty())
      return fail(Code::invalid_argument, "invalid_tag_filter",
                  "Error parsing query: there is no condition on a tag");
    if (elsewhere) return FindPage();
    if (id == 0 && !container.empty()) {
      const auto in = find_container(tx, query.account, container);
      if (!in && in.error().code() == Code::not_found) return FindPage();
      if (!in) return std::unexpected(in.error());
      id = in->id;
    }
    return Finder(tx, query.account, id, ranges_of(tests), now).page(query.marker, query.limit);
  };
  co_return co_await blobs.database().read(std::move(work));
}

}  // namespace holdfast::blob
