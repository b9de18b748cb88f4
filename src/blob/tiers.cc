#include "blob/tiers.h"

#include "base/log.h"
#include "blob/kept.h"
#include "blob/tell.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

constexpr auto kEvery = std::chrono::seconds(2);
constexpr int64_t kGroup = 100;  // so that other writers get their turn

std::unexpected<Error> archived() {
  return fail(Code::conflict, "blob_archived",
              "This operation is not permitted on an archived blob.");
}

struct Due {
  BlobKey key{"", "", ""};
  int64_t container = 0;
  std::string tier;
};

Result<std::vector<Due>> due_now(Tx& tx, WallTime now, int64_t limit) {
  std::vector<Due> out;
  TRY_VOID(tx.each(
      "SELECT container.account, container.name, blob, container.id, tier FROM rehydration "
      "JOIN container ON container.id = container WHERE due <= ? AND account <> '' ORDER BY due "
      "LIMIT ?",
      {nanos(now), limit}, [&](const Row& row) {
        Due& due = out.emplace_back();
        due.key =
            BlobKey(std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)));
        due.container = row.integer(3);
        due.tier = std::string(row.text(4));
        return true;
      }));
  return out;
}

Result<void> put_into(Tx& tx, const Blobs& blobs, const BlobKey& key, int64_t container,
                      FoundBlob& blob, const std::string& tier, const Conditions& conditions) {
  const Info before = blob.info;
  blob.info.tier = tier;
  blob.info.tier_changed = blobs.clock().now();
  TRY_VOID(save_labels(tx, container, blob));
  const Change change{Change::tier_changed, "SetBlobTier", &before};
  return tell(tx, blobs, key, change, blob.info, conditions);
}

}  // namespace

Result<void> check_online(const Info& info) {
  if (info.tier == kArchive) return archived();
  return {};
}

Result<void> begin_rehydration(Tx& tx, int64_t container, Info& info, Rehydration wanted,
                               WallTime due) {
  TRY_VOID(tx.run("INSERT OR REPLACE INTO rehydration VALUES(?, ?, ?, ?, ?)",
                  {container, std::string_view(info.name), std::string_view(wanted.to),
                   int64_t{wanted.high}, nanos(due)}));
  info.rehydration = std::move(wanted);
  return {};
}

Result<void> note_rehydration(Tx& tx, int64_t container, Info& info) {
  if (info.tier != kArchive || kept_at(info)) return {};
  return tx.each("SELECT tier, high FROM rehydration WHERE container = ? AND blob = ?",
                 {container, std::string_view(info.name)}, [&](const Row& row) {
                   info.rehydration.to = std::string(row.text(0));
                   info.rehydration.high = row.integer(1) != 0;
                   return false;
                 });
}

Task<Result<Info>> Tiers::set(BlobKey key, std::string tier, Conditions conditions, bool high) {
  auto work = [this, key, tier, conditions, high](Tx& tx) -> Result<Info> {
    const WallTime now = blobs_.clock().now();
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key, now));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_change(conditions, there->info, Write::change, now));
    if (there->info.type != BlobType::block) return wrong_type();
    Info& info = there->info;
    if (info.tier != kArchive) {
      TRY_VOID(put_into(tx, blobs_, key, in.id, *there, tier, conditions));
      return std::move(info);
    }
    TRY_VOID(note_rehydration(tx, in.id, info));
    Rehydration& under_way = info.rehydration;
    if (tier == kArchive && under_way.to.empty()) return std::move(info);
    if (kept_at(info)) return archived();
    if (!under_way.to.empty() && under_way.to != tier)
      return fail(Code::conflict, "blob_rehydrating",
                  "This operation is not permitted because the blob is being rehydrated.");
    if (!under_way.to.empty() && (under_way.high || !high)) return std::move(info);
    const WallTime due = high ? now : now + blobs_.settings(key.account).rehydration;
    TRY_VOID(begin_rehydration(tx, in.id, info, Rehydration{tier, high}, due));
    return std::move(info);
  };
  co_return co_await blobs_.database().write(std::move(work));
}

Task<Result<size_t>> Tiers::pass() {
  size_t done = 0;
  auto any = [this](Tx& tx) { return due_now(tx, blobs_.clock().now(), 1); };
  auto end = [this](Tx& tx) -> Result<size_t> {
    TRY(const auto all, due_now(tx, blobs_.clock().now(), kGroup));
    for (const Due& due : all) {
      // Each goes for certain, so that a pass comes to its end.
      TRY_VOID(tx.run("DELETE FROM rehydration WHERE container = ? AND blob = ?",
                      {due.container, std::string_view(due.key.name)}));
      TRY(auto there, find_row(tx, due.container, due.key.name));
      if (there && there->info.tier == kArchive)
        TRY_VOID(put_into(tx, blobs_, due.key, due.container, *there, due.tier, {}));
    }
    return all.size();
  };
  for (;;) {
    CO_TRY(const auto some, co_await blobs_.database().read(any));  // nothing writes nothing
    if (some.empty()) co_return done;
    CO_TRY(const size_t ended, co_await blobs_.database().write(end));
    done += ended;
  }
}

Task<void> Tiers::run() {
  while (co_await sleep_for(kEvery)) {
    if (auto done = co_await pass(); !done)
      log::warning("blob", "rehydrating failed", {{"error", done.error().message()}});
  }
}

}  // namespace holdfast::blob
