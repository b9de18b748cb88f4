// Listings. A page costs what it shows: each walks only rows that it may show, in order.
#include "blob/lists.h"

#include <algorithm>

#include "blob/kept.h"
#include "blob/tiers.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

// The blob itself comes after what is kept of its past.
constexpr int64_t kPresent = INT64_MAX;

struct Position {
  std::string name;
  int64_t at = 0;
};

std::string marker_of(const Position& at) {
  return at.at == kPresent ? at.name : at.name + '\0' + std::to_string(at.at);
}

// Where a page begins that follows `marker`; no name holds a zero byte.
Position position_of(const std::string& prefix, const std::string& marker) {
  const size_t zero = marker.find('\0');
  Position from{marker.substr(0, zero), kPresent};
  if (zero != std::string::npos)
    from.at = static_cast<int64_t>(
        std::min<uint64_t>(parse_u64(std::string_view(marker).substr(zero + 1)).value_or(0),
                           static_cast<uint64_t>(kPresent)));
  return marker.empty() || from.name < prefix ? Position{prefix, 0} : from;
}

std::vector<KeptState> states_of(const ListQuery& query) {
  std::vector<KeptState> states;
  if (query.snapshots) states.push_back(KeptState::snapshot);
  if (query.snapshots && query.deleted) states.push_back(KeptState::deleted_snapshot);
  if (query.deleted) states.push_back(KeptState::deleted_blob);
  if (query.versions) states.push_back(KeptState::version);
  if (query.versions || query.gone) states.push_back(KeptState::last_version);
  if (query.versions && query.deleted) states.push_back(KeptState::deleted_version);
  if ((query.versions && query.deleted) || query.gone)
    states.push_back(KeptState::deleted_last_version);
  return states;
}

// Each part is in the order of an index already, and SQLite merges them as it goes.
std::string list_sql(const ListQuery& query, const std::vector<KeptState>& states) {
  const std::string columns(states.empty() && query.brief ? kBriefColumns : kBlobColumns);
  const std::string present =
      " FROM blob WHERE container = ?1 AND name >= ?2 AND " + std::string(kNotExpired);
  // One part alone has its order by the key; to sort it by a constant as well would cost a sorter.
  if (states.empty()) return "SELECT " + columns + present + " ORDER BY name";
  std::string sql = "SELECT " + columns +
                    ", -1 AS state, 9223372036854775807 AS at, 0 AS deleted, 0 AS expires" +
                    present;
  for (const KeptState state : states)
    sql += " UNION ALL SELECT " + columns + std::string(kKeptColumns) +
           " FROM blob_history INDEXED BY blob_history_by_state WHERE container = ?1 AND state = " +
           std::to_string(static_cast<int>(state)) + " AND (name, at) >= (?2, ?4)";
  return sql + " ORDER BY name, at";
}

class Lister {
 public:
  Lister(Tx& tx, int64_t container, const ListQuery& query, WallTime now, const Listing& to)
      : tx_(tx), container_(container), query_(query), now_(now), to_(to) {}

  Result<std::string> run() {
    const std::vector<KeptState> states = states_of(query_);
    with_kept_ = !states.empty();
    const std::string sql = list_sql(query_, states);
    from_ = position_of(query_.prefix, query_.marker);
    // Each round walks until a common prefix begins, then jumps behind all names under it.
    for (bool more = true; more;) {
      jump_.clear();
      Result<void> inner;
      std::vector<store::Value> values = {container_, std::string_view(from_.name), nanos(now_)};
      if (with_kept_) values.emplace_back(from_.at);
      pending_from_ = from_.name;
      TRY_VOID(tx_.each(sql, values, [&](const Row& row) {
        const std::string_view name = row.text(0);
        if (!name.starts_with(query_.prefix)) return false;
        inner = take_pending(name);
        if (!inner || stopped()) return false;
        if (!take(name, with_kept_ ? row.integer(kBlobColumnCount + 1) : kPresent)) return false;
        inner = tell(row);
        return inner.has_value();
      }));
      TRY_VOID(inner);
      if (!stopped()) TRY_VOID(take_pending({}));
      more = !jump_.empty();
      from_ = Position{jump_, 0};
    }
    return std::move(next_);
  }

 private:
  bool stopped() const { return !jump_.empty() || !next_.empty(); }

  Result<void> tell(const Row& row) {
    if (with_kept_) {
      info_ = kept_info(row);
      const auto state = row.integer(kBlobColumnCount);
      info_.versions_only =
          query_.gone && (state == static_cast<int64_t>(KeptState::last_version) ||
                          state == static_cast<int64_t>(KeptState::deleted_last_version));
    } else if (query_.brief) {
      read_brief(row, info_);
      info_.rehydration = Rehydration();
    } else {
      info_ = blob_info(row);
    }
    TRY_VOID(note_rehydration(tx_, container_, info_));
    to_.blob(info_);
    return {};
  }

  // Whether it is an item of this page; else it is the next page's, or stands behind a prefix.
  bool take(std::string_view name, int64_t at) {
    if (told_ == query_.limit) {
      next_ = marker_of({std::string(name), at});
      return false;
    }
    ++told_;
    const size_t cut = query_.delimiter.empty() ? std::string_view::npos
                                                : name.find(query_.delimiter, query_.prefix.size());
    if (cut == std::string_view::npos) return true;
    const std::string_view prefix = name.substr(0, cut + query_.delimiter.size());
    to_.prefix(prefix);
    jump_ = after_prefix(std::string(prefix));
    return false;
  }

  // Blobs of which there are but uncommitted blocks, before the name `before`; "": to the end.
  Result<void> take_pending(std::string_view before) {
    while (query_.uncommitted && !stopped()) {
      std::string name;
      TRY_VOID(
          tx_.each("SELECT blob FROM uncommitted_block WHERE container = ? AND blob >= ? ORDER BY "
                   "blob LIMIT 1",
                   {container_, std::string_view(pending_from_)}, [&](const Row& row) {
                     name = std::string(row.text(0));
                     return false;
                   }));
      if (name.empty() || !name.starts_with(query_.prefix) || (!before.empty() && name >= before))
        break;
      pending_from_ = name + '\0';
      TRY(const auto there, find_blob(tx_, container_, name, now_));
      if (there) continue;
      if (!take(name, kPresent)) break;
      Info info;
      info.name = std::move(name);
      to_.blob(info);
    }
    return {};
  }

  Tx& tx_;
  int64_t container_;
  const ListQuery& query_;
  WallTime now_;
  const Listing& to_;
  bool with_kept_ = false;
  Position from_;
  std::string jump_, pending_from_, next_;
  size_t told_ = 0;
  Info info_;  // one for all rows
};

}  // namespace

Result<std::string> tell_blobs(Tx& tx, std::string_view account, std::string_view container,
                               const ListQuery& query, WallTime now, const Listing& to) {
  TRY(const FoundContainer in, find_container(tx, account, container));
  return Lister(tx, in.id, query, now, to).run();
}

Task<Result<Page>> Blobs::list_blobs(std::string account, std::string container, ListQuery query) {
  const WallTime now = clock_.now();
  auto work = [account, container, query, now](Tx& tx) -> Result<Page> {
    Page page;
    Listing to;
    to.blob = [&page](Info& info) { page.items.push_back(std::move(info)); };
    to.prefix = [&page](std::string_view prefix) { page.prefixes.emplace_back(prefix); };
    TRY(page.next, tell_blobs(tx, account, container, query, now, to));
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Page>> Blobs::list_containers(std::string account, ListQuery query) {
  auto work = [account, query](Tx& tx) -> Result<Page> {
    Page page;
    const Position from = position_of(query.prefix, query.marker);
    const std::string columns =
        "modified, etag, metadata, lease_id, lease_seconds, lease_until, lease_breaking, access, ";
    std::string sql = "SELECT name, " + columns +
                      "9223372036854775807 AS at, 0 AS expires FROM container WHERE account = ?1 "
                      "AND name >= ?2";
    std::vector<store::Value> values = {std::string_view(account), std::string_view(from.name)};
    if (query.deleted) {
      sql += " UNION ALL SELECT deleted_container.name, " + columns +
             "at, expires FROM deleted_container JOIN container USING(id) WHERE "
             "deleted_container.account = ?1 AND (deleted_container.name, at) >= (?2, ?3)";
      values.emplace_back(from.at);
    }
    TRY_VOID(tx.each(sql + " ORDER BY name, at", values, [&](const Row& row) {
      if (!row.text(0).starts_with(query.prefix)) return false;
      if (row.text(0) == "$blobchangefeed" && !query.system) return true;
      const int64_t at = row.integer(9);
      if (page.items.size() == query.limit) {
        page.next = marker_of({std::string(row.text(0)), at});
        return false;
      }
      Info info;
      info.name = std::string(row.text(0));
      info.modified = WallTime(std::chrono::nanoseconds(row.integer(1)));
      info.etag = static_cast<uint64_t>(row.integer(2));
      info.metadata = pairs_from_json(row.text(3));
      info.lease = lease_in(row, 4);
      info.access = std::string(row.text(8));
      if (at != kPresent) info.deleted = WallTime(std::chrono::nanoseconds(at));
      info.expires = WallTime(std::chrono::nanoseconds(row.integer(10)));
      page.items.push_back(std::move(info));
      return true;
    }));
    return page;
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::blob
