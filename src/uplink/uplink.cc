#include "uplink/uplink.h"

#include <algorithm>
#include <atomic>

#include "base/files.h"
#include "base/log.h"
#include "net/wake.h"
#include "uplink/records.h"
#include "uplink/removal.h"
#include "uplink/source.h"

namespace holdfast::uplink {
namespace {

constexpr uint64_t kMostBlocks = 50'000;

// Waiting does not help these: the file or the account must change first.
bool permanent(const Error& error) {
  return error.code() == Code::invalid_argument || error.code() == Code::too_large ||
         error.code() == Code::unsupported;
}

}  // namespace

struct Uplink::Share {
  Share(UplinkShare config_, shares::FileEvents& events, BlockingPool& pool, const Clock& clock)
      : config(std::move(config_)),
        consumer(consumer_of(config.share.name)),
        removal(config.share, consumer, events, pool, clock) {}
  UplinkShare config;
  std::string consumer;
  bool container_made = false;
  Removal removal;
  bool more = false;  // the last round found work
  ShareProgress progress;
};

struct Uplink::State {
  State(UplinkOptions options_, shares::FileEvents& events_, store::Journal& journal_,
        BlockingPool& pool_, const Clock& clock_)
      : options(options_), events(events_), journal(journal_), pool(pool_), clock(clock_) {}
  UplinkOptions options;
  shares::FileEvents& events;
  store::Journal& journal;
  BlockingPool& pool;
  const Clock& clock;

  mutable std::mutex mutex;
  std::vector<std::unique_ptr<Share>> shares;
  std::map<std::string, Upload> uploads;

  Upload started(const std::string& event) {
    const std::lock_guard lock(mutex);
    const auto found = uploads.find(event);
    return found == uploads.end() ? Upload() : found->second;
  }

  Task<Result<void>> note(std::string record) {
    const std::string kept = record;
    CO_TRY(const store::Sequence sequence, co_await journal.append(std::move(record)));
    store::Sequence needed = sequence + 1;
    {
      const std::lock_guard lock(mutex);
      CO_TRY_VOID(apply(uploads, sequence, kept));
      for (const auto& [event, upload] : uploads) needed = std::min(needed, upload.first_sequence);
    }
    // Only at a commit can the front have become free.
    if (kept.starts_with("committed")) co_return co_await journal.trim(needed - 1);
    co_return Result<void>();
  }

  Task<Result<void>> in_blocks(const shares::ShareConfig& share, BlobTarget& target,
                               const shares::FileEvent& event, const Source& source,
                               blob_client::BlobHeaders headers) {
    Upload upload = started(event.id);
    if (upload.block_size == 0) {
      upload.block_size =
          std::max(options.block_size, (event.size + kMostBlocks - 1) / kMostBlocks);
      CO_TRY_VOID(co_await note(begin_record(event.id, event.size, upload.block_size)));
    }
    std::vector<std::string> ids;
    for (uint64_t at = 0; at < event.size; at += upload.block_size) {
      const auto number = static_cast<uint32_t>(at / upload.block_size);
      ids.push_back(block_id(event.id, number));
      if (upload.blocks.contains(number)) continue;
      blob_client::Content part =
          http::FileRange{source.fd, at, std::min(upload.block_size, event.size - at)};
      CO_TRY_VOID(
          co_await target.put_block(share.container, event.path, ids.back(), std::move(part)));
      CO_TRY_VOID(co_await note(block_record(event.id, number)));
    }
    // Blocks that the journal counts may be gone at the other end after a week: then all are sent
    // anew.
    auto committed =
        co_await target.put_block_list(share.container, event.path, ids, std::move(headers));
    if (!committed && committed.error().code() == Code::invalid_argument &&
        !upload.blocks.empty()) {
      CO_TRY_VOID(co_await note(begin_record(event.id, event.size, upload.block_size)));
      co_return fail(Code::unavailable, "the blocks sent before are gone; sending them again");
    }
    co_return committed;
  }
};

Uplink::Uplink(std::unique_ptr<State> state) : state_(std::move(state)) {}
Uplink::~Uplink() = default;
shares::FileEvents& Uplink::events() {
  return state_->events;
}

std::string consumer_of(const shares::ShareName& share) {
  return "uplink:" + share.str();
}

Result<std::unique_ptr<Uplink>> Uplink::open(std::vector<UplinkShare> shares,
                                             shares::FileEvents& events, store::Journal& journal,
                                             BlockingPool& pool, const Clock& clock,
                                             UplinkOptions options) {
  auto state = std::make_unique<State>(options, events, journal, pool, clock);
  TRY_VOID(journal.replay([&](store::Sequence sequence, std::string_view record) {
    return apply(state->uploads, sequence, record);
  }));
  for (UplinkShare& share : shares) {
    state->shares.push_back(std::make_unique<Share>(std::move(share), events, pool, clock));
    TRY_VOID(events.register_consumer(state->shares.back()->config.share.name,
                                      state->shares.back()->consumer));
  }
  return std::unique_ptr<Uplink>(new Uplink(std::move(state)));
}

Task<Result<void>> Uplink::upload(const UplinkShare& to, shares::FileEvent event) {
  const shares::ShareConfig& share = to.share;
  BlobTarget& target = *to.target;
  auto work = [&share, &event] { return open_source(share, event); };
  CO_TRY(const Source source, co_await state_->pool.run(std::move(work)));
  // A stop between the commit there and its record here leaves the blob with this event's id: it is
  // done.
  if (auto there = co_await target.properties(share.container, event.path)) {
    for (const auto& [name, value] : there->metadata) {
      if (name == "holdfast_event" && value == event.id)
        co_return co_await state_->note(committed_record(event.id));
    }
  } else if (there.error().code() != Code::not_found) {
    co_return std::unexpected(there.error());
  }
  blob_client::BlobHeaders headers;
  headers.content_type = content_type_of(event.path);
  headers.content_md5 = source.md5;
  headers.metadata = {{"holdfast_event", event.id}, {"mtime", format_rfc3339(event.modified, 9)}};
  if (event.size <= state_->options.single_put) {
    blob_client::Content whole = http::FileRange{source.fd, 0, event.size};
    co_return co_await target.put_blob(share.container, event.path, std::move(whole),
                                       std::move(headers));
  }
  CO_TRY_VOID(co_await state_->in_blocks(share, target, event, source, std::move(headers)));
  co_return co_await state_->note(committed_record(event.id));
}

// Files that are uploaded side by side; the last one to end wakes the share's task.
struct Uplink::Batch {
  explicit Batch(size_t count) : left(count) {}
  std::atomic<size_t> left;
  std::mutex mutex;
  std::vector<std::string> done;
  std::optional<Error> error;
  Wake ended;
};

Task<void> Uplink::one(Share& share, shares::FileEvent event, std::shared_ptr<Batch> batch) {
  auto outcome = co_await upload(share.config, event);
  const bool changed = !outcome && outcome.error().reason() == "file_changed";
  if (!outcome && permanent(outcome.error())) {
    log::warning("uplink", "a file can not be uploaded",
                 {{"share", share.config.share.name.str()},
                  {"file", event.path},
                  {"error", outcome.error().message()}});
    (void)co_await state_->events.failed(share.consumer, event.id, outcome.error().message());
  } else {
    const std::lock_guard lock(batch->mutex);
    // A changed file has an event of its own, and one that is gone has nothing to upload.
    if (outcome || changed)
      batch->done.push_back(event.id);
    else
      batch->error = outcome.error();
  }
  if (outcome) {
    const std::lock_guard lock(state_->mutex);
    ++share.progress.uploaded_files;
    share.progress.uploaded_bytes += event.size;
  }
  if (--batch->left == 0) batch->ended.notify();
}

Task<Result<void>> Uplink::round(Runtime& runtime, TaskGroup& group, Share& share) {
  CO_TRY(const uint64_t removed, co_await share.removal.remove_due());
  {
    const std::lock_guard lock(state_->mutex);
    share.progress.removed_files += removed;
  }
  if (!share.container_made) {
    CO_TRY_VOID(co_await share.config.target->make_container(share.config.share.container));
    share.container_made = true;
  }
  CO_TRY(auto pending, co_await state_->events.pending(share.consumer, state_->options.parallel));
  if (pending.empty()) co_return Result<void>();
  auto batch = std::make_shared<Batch>(pending.size());
  for (auto& next : pending)
    group.spawn(runtime.next_executor(), "upload", one(share, std::move(next.event), batch));
  while (batch->left > 0) co_await batch->ended.wait(std::chrono::seconds(60));
  CO_TRY_VOID(co_await state_->events.done(share.consumer, batch->done, state_->clock.now()));
  if (batch->error) {
    // The container may be what is missing.
    share.container_made = share.container_made && batch->error->code() != Code::not_found;
    co_return std::unexpected(*batch->error);
  }
  share.more = true;
  co_return Result<void>();
}

Task<void> Uplink::run_share(Runtime& runtime, TaskGroup& group, Share& share) {
  if (const auto done = co_await share.removal.recover(); !done)
    log::warning("uplink", "a file can not be put back",
                 {{"share", share.config.share.name.str()}, {"error", done.error().message()}});
  auto wait = state_->options.first_delay;
  for (;;) {
    share.more = false;
    auto outcome = co_await round(runtime, group, share);
    {
      const std::lock_guard lock(state_->mutex);
      share.progress.waiting = outcome ? "" : outcome.error().message();
    }
    if (!outcome) {
      log::warning(
          "uplink", "not uploaded yet; trying again",
          {{"share", share.config.share.name.str()}, {"error", outcome.error().message()}});
      co_await sleep_for(wait);
      wait = std::min(wait * 2, state_->options.longest_delay);
      continue;
    }
    wait = state_->options.first_delay;
    if (!share.more) co_await state_->events.wait_for_work(share.consumer, std::chrono::minutes(1));
  }
}

void Uplink::start(Runtime& runtime, TaskGroup& group) {
  for (auto& share : state_->shares) {
    group.spawn(runtime.next_executor(), "uplink " + share->config.share.name.str(),
                run_share(runtime, group, *share));
  }
}

std::vector<shares::ShareConfig> Uplink::list() const {
  std::vector<shares::ShareConfig> out;
  for (const auto& share : state_->shares) out.push_back(share->config.share);
  return out;
}

ShareProgress Uplink::progress(const shares::ShareName& name) const {
  const std::lock_guard lock(state_->mutex);
  for (const auto& share : state_->shares) {
    if (share->config.share.name == name) return share->progress;
  }
  return {};
}

}  // namespace holdfast::uplink
