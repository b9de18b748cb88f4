// A share: a directory that people and programs put files into. A local one stays here; a cloud one
// uploads itself.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace holdfast::shares {

struct ShareTag;
using ShareName = StrongId<ShareTag>;

enum class ShareKind { local, cloud };

struct ShareConfig {
  ShareName name;
  ShareKind kind = ShareKind::local;
  std::string path;                      // absolute
  std::chrono::milliseconds quiet{500};  // after a close, before the file counts as finished
  std::string account, container;        // of a cloud share
  // Of a cloud share: so long after its upload a file stays here; nullopt: for ever.
  std::optional<std::chrono::milliseconds> keep;
};

// 3–63 lower-case letters, digits and single hyphens, first and last not a hyphen (Azure Stack
// Edge's rule).
Result<ShareName> parse_share_name(std::string_view text);

// Paths inside a share, as the watcher and the uplink see them: safe components, none beginning
// with '.'.
bool visible_path(std::string_view path);

// Moves a file that can not be used to <share>/.set-aside/<path> and writes <path>.reason.json
// beside it:
// {"file","event","reason","message","time"}. Blocking. not_found where the file is gone.
Result<void> set_aside(const ShareConfig& share, std::string_view path, std::string_view event,
                       std::string_view reason, std::string_view message, std::string_view time);

}  // namespace holdfast::shares
