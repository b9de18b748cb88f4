#include "blob/blobs.h"
#include "blob/kept.h"
#include "blob/tell.h"
#include "blob/tiers.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

// How a content was made: of committed blocks, or of the parts of an append blob.
struct Making {
  struct Block {
    std::string id;
    int64_t content = 0, size = 0;
  };
  std::vector<Block> blocks;
  std::vector<int64_t> parts;
};

// `kept` is nullopt for the present content, and the time of what the history keeps.
Result<Making> read_making(Tx& tx, int64_t container, const std::string& name,
                           std::optional<WallTime> kept) {
  Making making;
  const std::string at = kept ? " AND at = ?3" : "";
  const std::string blocks = kept ? "history_block" : "committed_block",
                    parts = kept ? "history_part" : "append_part";
  std::vector<store::Value> key = {container, std::string_view(name)};
  if (kept) key.emplace_back(nanos(*kept));
  TRY_VOID(tx.each("SELECT id, content, size FROM " + blocks +
                       " WHERE container = ?1 AND blob = ?2" + at + " ORDER BY seq",
                   key, [&](const Row& row) {
                     making.blocks.push_back(
                         Making::Block{std::string(row.text(0)), row.integer(1), row.integer(2)});
                     return true;
                   }));
  TRY_VOID(tx.each(
      "SELECT content FROM " + parts + " WHERE container = ?1 AND blob = ?2" + at + " ORDER BY seq",
      key, [&](const Row& row) {
        making.parts.push_back(row.integer(0));
        return true;
      }));
  return making;
}

Result<void> write_making(Tx& tx, int64_t container, const std::string& name,
                          const Making& making) {
  for (size_t i = 0; i < making.blocks.size(); ++i) {
    const Making::Block& block = making.blocks[i];
    TRY_VOID(tx.run("INSERT INTO committed_block VALUES(?, ?, ?, ?, ?, ?)",
                    {container, std::string_view(name), static_cast<int64_t>(i),
                     std::string_view(block.id), block.content, block.size}));
  }
  for (size_t i = 0; i < making.parts.size(); ++i) {
    TRY_VOID(tx.run("INSERT INTO append_part VALUES(?, ?, ?, ?)",
                    {container, std::string_view(name), static_cast<int64_t>(i), making.parts[i]}));
  }
  return {};
}

std::unexpected<Error> source_not_found() {
  return fail(Code::not_found, "copy_source_not_found", "The specified blob does not exist.");
}

}  // namespace

Task<Result<Info>> Blobs::copy_blob(BlobKey to, BlobKey from, NewBlob wanted, Conditions conditions,
                                    Conditions source_conditions) {
  auto work = [this, to, from, wanted, conditions, source_conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, to.account, to.container));
    const auto source_in = find_container(tx, from.account, from.container);
    if (!source_in && source_in.error().code() == Code::not_found) return source_not_found();
    if (!source_in) return std::unexpected(source_in.error());
    TRY(const auto source, find_blob(tx, source_in->id, from, clock_.now()));
    if (!source) return source_not_found();
    if (const auto fits = check_read(source_conditions, source->info); !fits) {
      if (fits.error().code() != Code::precondition_failed) return std::unexpected(fits.error());
      return fail(Code::precondition_failed, "source_condition_not_met",
                  "The source condition specified using HTTP conditional header(s) is not met.");
    }
    const bool archived = source->info.tier == kArchive;
    if (archived && (wanted.from_archive == NewBlob::never || wanted.tier == kArchive))
      TRY_VOID(check_online(source->info));
    // Before the target is replaced: it may be the source itself.
    TRY(const Making making, read_making(tx, source_in->id, from.name, kept_at(source->info)));
    TRY_VOID(objects_.retain(tx, source->content));
    NewBlob made = wanted;
    made.type = source->info.type;
    made.blocks = source->info.blocks;
    made.sequence = source->info.sequence;
    if (made.headers.empty()) made.headers = source->info.headers;
    if (made.metadata.empty()) made.metadata = source->info.metadata;
    if (archived) made.tier = kArchive;
    TRY(Info info,
        replace(tx, in, to.name, source->content, source->info.size, made, conditions, "CopyBlob"));
    TRY_VOID(write_making(tx, in.id, to.name, making));
    if (!archived) return info;
    const bool high = wanted.from_archive == NewBlob::high;
    const auto wait = high ? std::chrono::seconds(0) : settings(to.account).rehydration;
    const Rehydration way{wanted.tier.empty() ? "Hot" : wanted.tier, high};
    TRY_VOID(begin_rehydration(tx, in.id, info, way, clock_.now() + wait));
    return info;
  };
  auto done = co_await database_.write(std::move(work));
  if (done && observer_) observer_(to);
  co_return done;
}

Task<Result<Info>> Blobs::set_tags(BlobKey key, Pairs tags, Conditions conditions) {
  auto work = [this, key, tags, conditions](Tx& tx) -> Result<Info> {
    TRY(const FoundContainer in, find_container(tx, key.account, key.container));
    TRY(auto there, find_blob(tx, in.id, key, clock_.now()));
    if (!there) return blob_not_found(key);
    TRY_VOID(check_change(conditions, there->info, Write::change, clock_.now()));
    there->info.tags = tags;
    TRY_VOID(save_labels(tx, in.id, *there));
    const Change change{Change::properties, "SetBlobTags", {}};
    TRY_VOID(tell(tx, *this, key, change, there->info, conditions));
    return std::move(there->info);
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::blob
