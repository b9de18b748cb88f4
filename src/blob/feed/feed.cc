#include "blob/feed/feed.h"

#include <map>

#include "base/log.h"
#include "blob/feed/records.h"
#include "blob/rows.h"
#include "events/outbox.h"

namespace holdfast::blob {
namespace {

using store::ContentId;
using store::Row;
using store::StagedContent;
using store::Tx;

constexpr size_t kRound = 5000;
constexpr auto kDropEvery = std::chrono::minutes(10);
constexpr int64_t kDropped = 500;

// Without history, whatever the account keeps of its own blobs.
Result<void> put(Tx& tx, Blobs& blobs, int64_t container, std::string name, const char* type,
                 const StagedContent& staged) {
  TRY(const auto there, find_row(tx, container, name));
  TRY(const ContentId content, blobs.objects().add(tx, staged));
  Info info;
  info.name = std::move(name);
  info.size = staged.size;
  info.modified = blobs.clock().now();
  info.created = there ? there->info.created : info.modified;
  info.etag = blobs.next_etag();
  info.headers = {{"Content-Type", type}};
  TRY_VOID(save_blob(tx, container, content, info));
  return there ? blobs.objects().release(tx, there->content) : Result<void>();
}

Result<void> drop(Tx& tx, Blobs& blobs, int64_t container, const std::string& name) {
  TRY(const auto there, find_row(tx, container, name));
  if (!there) return {};
  TRY_VOID(tx.run("DELETE FROM blob WHERE container = ? AND name = ?",
                  {container, std::string_view(name)}));
  return blobs.objects().release(tx, there->content);
}

// Names from `first` on, before `end`.
Result<std::vector<std::string>> names(Tx& tx, int64_t container, std::string_view first,
                                       std::string_view end, bool backwards, int64_t limit) {
  std::vector<std::string> out;
  TRY_VOID(tx.each(std::string("SELECT name FROM blob WHERE container = ? AND name >= ? AND name < "
                               "? ORDER BY name") +
                       (backwards ? " DESC LIMIT ?" : " LIMIT ?"),
                   {container, first, end, limit}, [&](const Row& row) {
                     out.emplace_back(row.text(0));
                     return true;
                   }));
  return out;
}

Result<int64_t> container_of(Tx& tx, Blobs& blobs, const std::string& account) {
  for (;;) {
    const auto found = find_container(tx, account, feed::kContainer);
    if (found) return found->id;
    if (found.error().code() != Code::not_found) return std::unexpected(found.error());
    TRY_VOID(
        tx.run("INSERT INTO container(account, name, modified, etag, metadata) VALUES(?, ?, ?, ?, "
               "'{}')",
               {std::string_view(account), feed::kContainer, nanos(blobs.clock().now()),
                static_cast<int64_t>(blobs.next_etag())}));
  }
}

Task<Result<StagedContent>> stage(Blobs& blobs, std::string bytes) {
  CO_TRY(auto writer, co_await blobs.objects().create(bytes.size()));
  CO_TRY_VOID(co_await writer->append(as_bytes(bytes)));
  co_return co_await writer->finish();
}

}  // namespace

// What is new of one account in one hour; what is said of the hour, while it is the last and after.
struct ChangeFeed::File {
  std::string account, hour;
  StagedContent chunk, segment, closed, segments;
  std::string before;  // the hour that `closed` is about; "": none
};

Result<void> ChangeFeed::write(Tx& tx, const std::vector<File>& files, int64_t done) {
  for (const File& file : files) {
    TRY(const int64_t container, container_of(tx, blobs_, file.account));
    const std::string folder = feed::log_folder(file.hour);
    TRY(const auto last, names(tx, container, folder, after_prefix(folder), true, 1));
    unsigned number = 0;
    if (!last.empty())
      number = static_cast<unsigned>(
                   parse_u64(std::string_view(last[0]).substr(folder.size(), 5)).value_or(0)) +
               1;
    TRY_VOID(
        put(tx, blobs_, container, feed::chunk_name(file.hour, number), "avro/binary", file.chunk));
    if (!last.empty()) continue;
    TRY_VOID(put(tx, blobs_, container, feed::segment_name(file.hour), "application/json",
                 file.segment));
    if (!file.before.empty())
      TRY_VOID(put(tx, blobs_, container, feed::segment_name(file.before), "application/json",
                   file.closed));
    TRY_VOID(put(tx, blobs_, container, std::string(feed::kSegments), "application/json",
                 file.segments));
  }
  TRY_VOID(events::move_consumer(tx, kConsumer, done));
  TRY_VOID(events::trim(tx));
  return {};
}

Task<Result<bool>> ChangeFeed::step() {
  auto find = [](Tx& tx) -> Result<std::vector<events::StoredEvent>> {
    TRY(const events::Consumer at, events::consumer(tx, kConsumer));
    return events::events_after(tx, at.seq, kRound);
  };
  CO_TRY(const auto found, co_await blobs_.database().read(find));
  CO_TRY_VOID(co_await drop_old());
  if (found.empty()) co_return false;
  std::map<std::pair<std::string, std::string>, std::vector<events::StoredEvent>> groups;
  for (const events::StoredEvent& event : found) {
    if (blobs_.settings(event.account).change_feed)
      groups[{event.account, feed::hour_of(event.at)}].push_back(event);
  }
  std::vector<File> files;
  const WallTime now = blobs_.clock().now();
  for (const auto& [where, events] : groups) {
    File file;
    file.account = where.first;
    file.hour = where.second;
    auto last_before = [&file](Tx& tx) -> Result<std::string> {
      const auto in = find_container(tx, file.account, feed::kContainer);
      if (!in && in.error().code() == Code::not_found) return std::string();
      if (!in) return std::unexpected(in.error());
      TRY(const auto last, names(tx, in->id, "idx/", feed::segment_name(file.hour), true, 1));
      return last.empty() ? std::string() : feed::hour_of_segment(last[0]);
    };
    CO_TRY(file.before, co_await blobs_.database().read(std::move(last_before)));
    if (!files.empty() && files.back().account == file.account) file.before = files.back().hour;
    CO_TRY(file.chunk, co_await stage(blobs_, feed::chunk(events, origins_)));
    CO_TRY(file.segment, co_await stage(blobs_, feed::segment(file.hour, true, now)));
    CO_TRY(file.segments, co_await stage(blobs_, feed::segments(file.hour, now)));
    if (!file.before.empty()) {
      CO_TRY(file.closed, co_await stage(blobs_, feed::segment(file.before, false, now)));
    }
    files.push_back(std::move(file));
  }
  auto keep = [this, files, done = found.back().seq](Tx& tx) { return write(tx, files, done); };
  CO_TRY_VOID(co_await blobs_.database().write(std::move(keep)));
  co_return found.size() == kRound;
}

Task<Result<void>> ChangeFeed::drop_old() {
  const WallTime now = blobs_.clock().now();
  if (now - dropped_ < kDropEvery) co_return Result<void>();
  auto work = [this, now](Tx& tx) -> Result<bool> {
    std::vector<std::pair<int64_t, std::string>> feeds;
    TRY_VOID(tx.each("SELECT id, account FROM container WHERE name = ?", {feed::kContainer},
                     [&](const Row& row) {
                       feeds.emplace_back(row.integer(0), row.text(1));
                       return true;
                     }));
    bool more = false;
    for (const auto& [container, account] : feeds) {
      const auto kept = blobs_.settings(account).change_feed_kept;
      if (kept.count() == 0) continue;
      const std::string end = feed::hour_of(now - kept);  // that hour itself is kept
      for (const auto& [first, last] :
           {std::pair(std::string("idx/segments/"), "idx/segments/" + end),
            std::pair(std::string("log/00/"), "log/00/" + end)}) {
        TRY(const auto old, names(tx, container, first, last, false, kDropped));
        for (const std::string& name : old) TRY_VOID(drop(tx, blobs_, container, name));
        more = more || old.size() == kDropped;
      }
    }
    return more;
  };
  CO_TRY(const bool more, co_await blobs_.database().write(std::move(work)));
  if (!more) dropped_ = now;
  co_return Result<void>();
}

Task<void> ChangeFeed::run() {
  for (;;) {
    const auto more = co_await step();
    if (!more)
      log::error("blob", "the change feed could not be written",
                 {{"error", more.error().message()}});
    if (more && *more) continue;
    if (!co_await sleep_for(every_)) co_return;
  }
}

}  // namespace holdfast::blob
