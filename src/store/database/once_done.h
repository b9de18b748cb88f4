// Waiting for what ends with a Result. For store/ alone.
#pragma once

#include <functional>

#include "net/task.h"

namespace holdfast::store {

// Resumes on the caller's executor with what `start`'s callback is given, once and on any thread.
Task<Result<void>> once_done(std::function<void(std::function<void(Result<void>)>)> start);

}  // namespace holdfast::store
