// What the process does when a commit could not be synced: its writes have failed for their
// callers, yet they may be there after a restart, so that nothing told from then on can be trusted.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace holdfast::store {

// Called on a thread of that database, before any of the writes is answered. Without one
// the database refuses all later writes. Set it at start, before a database is opened.
void on_sync_failure(std::function<void(const std::string& path)> then);
// For databases: calls it.
void sync_failed(const std::string& path);
// What whoever writes or reads later is told, where the process goes on.
std::unexpected<Error> after_sync_failure();

}  // namespace holdfast::store
