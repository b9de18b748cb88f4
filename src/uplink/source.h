// The file behind an event, opened and hashed for its upload. Blocking.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "shares/file_events.h"

namespace holdfast::uplink {

struct Source {
  std::shared_ptr<Fd> fd;
  std::string md5;  // base64, of the whole file
};

// conflict with reason file_changed: the file is gone or no longer the event's; invalid_argument: a
// name that can not be uploaded.
Result<Source> open_source(const shares::ShareConfig& share, const shares::FileEvent& event);

// From the name's ending; application/octet-stream otherwise.
std::string content_type_of(std::string_view path);

}  // namespace holdfast::uplink
