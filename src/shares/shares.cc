#include "shares/shares.h"

#include "base/files.h"

namespace holdfast::shares {

Result<std::unique_ptr<Shares>> Shares::open(std::vector<ShareConfig> shares, FileEvents& events,
                                             const Clock& clock) {
  std::unique_ptr<Shares> made(new Shares(std::move(shares), events));
  for (const ShareConfig& share : made->configs_) {
    auto watcher = Watcher::open(share, events, made->pool_, clock);
    if (!watcher) return std::unexpected(watcher.error().with_context("share " + share.name.str()));
    made->watchers_.push_back(std::move(*watcher));
  }
  return made;
}

Shares::~Shares() = default;

void Shares::start(Runtime& runtime, TaskGroup& group) {
  for (auto& watcher : watchers_)
    group.spawn(runtime.next_executor(), "watch " + watcher->share().name.str(), watcher->run());
}

const ShareConfig* Shares::find(const ShareName& name) const {
  for (const ShareConfig& share : configs_) {
    if (share.name == name) return &share;
  }
  return nullptr;
}

}  // namespace holdfast::shares
