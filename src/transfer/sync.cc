#include "transfer/sync.h"

#include <algorithm>

namespace holdfast::transfer {
namespace {

// No other file would fare better.
bool hopeless(const Error& error) {
  return error.code() == Code::unavailable || error.code() == Code::timed_out ||
         error.code() == Code::denied || error.code() == Code::unauthenticated ||
         error.reason() == "container_not_found";
}

class Run {
 public:
  Run(Sides& sides, Plan plan, const SyncOptions& options)
      : sides_(sides), plan_(std::move(plan)), options_(options) {
    out_.same = plan_.same;
    removals_ = plan_.steps.size();
    while (removals_ > 0 && plan_.steps[removals_ - 1].kind == Step::Kind::remove) --removals_;
  }

  // Steps from `next_` to `end_`.
  Task<Result<void>> do_some(const bool& stop) {
    while (!stop && !out_.ended_early && next_ < end_) {
      const Step& step = plan_.steps[next_++];
      const auto done = co_await do_one(step);
      if (done) continue;
      out_.failed.emplace_back(step.entry.name, done.error());
      if (hopeless(done.error())) out_.ended_early = true;
    }
    co_return Result<void>();
  }

  Task<SyncOutcome> work() {
    co_await steps_to(removals_);
    if (out_.failed.empty()) co_await steps_to(plan_.steps.size());
    std::sort(out_.failed.begin(), out_.failed.end(),
              [](const Failure& a, const Failure& b) { return a.name < b.name; });
    co_return std::move(out_);
  }

 private:
  Task<void> steps_to(size_t end) {
    end_ = end;
    Lane lane = [this](const bool& stop) { return do_some(stop); };
    auto done = co_await run_lanes(std::max(1u, options_.parallel), std::move(lane));
    if (!done) out_.failed.emplace_back("", done.error());
  }

  Task<Result<void>> do_one(const Step& step) {
    if (step.kind == Step::Kind::remove) {
      CO_TRY_VOID(co_await sides_.remove(step.entry));
      ++out_.removed;
      co_return Result<void>();
    }
    if (step.kind == Step::Kind::compare) {
      CO_TRY(const bool same, co_await sides_.same(step));
      if (same) {
        ++out_.same;
        co_return Result<void>();
      }
    }
    CO_TRY_VOID(co_await sides_.send(step.entry, options_.moved));
    ++out_.sent;
    out_.bytes += step.entry.size;
    co_return Result<void>();
  }

  Sides& sides_;
  const Plan plan_;
  const SyncOptions& options_;
  size_t next_ = 0, end_ = 0, removals_ = 0;
  SyncOutcome out_;
};

}  // namespace

Task<Result<std::vector<Entry>>> list_entries(blob_client::BlobClient& client,
                                              std::string container, std::string prefix) {
  std::vector<Entry> out;
  blob_client::ListOptions list;
  list.prefix = prefix;
  do {
    CO_TRY(const auto page, co_await client.list_blobs(container, list));
    for (const auto& blob : page.blobs) {
      Entry entry;
      entry.name = blob.name.substr(prefix.size());
      entry.size = blob.properties.size;
      entry.md5 = blob.properties.content_md5;
      out.push_back(std::move(entry));
    }
    list.marker = page.next_marker;
  } while (!list.marker.empty());
  // A plan walks both sides by bytes, in whatever order a service lists.
  std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  co_return out;
}

Task<SyncOutcome> run_sync(Sides& sides, Plan plan, SyncOptions options) {
  Run run(sides, std::move(plan), options);
  co_return co_await run.work();
}

}  // namespace holdfast::transfer
