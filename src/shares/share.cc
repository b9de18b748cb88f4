#include "shares/share.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>

#include "base/files.h"

namespace holdfast::shares {

namespace fs = std::filesystem;

Result<ShareName> parse_share_name(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool fits =
      text.size() >= 3 && text.size() <= 63 && plain(text.front()) && plain(text.back()) &&
      text.find("--") == std::string_view::npos &&
      std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-'; });
  if (!fits)
    return fail(Code::invalid_argument,
                "'" + std::string(text) +
                    "' is not a share name: 3 to 63 lower-case letters, digits and single hyphens");
  return ShareName(std::string(text));
}

bool visible_path(std::string_view path) {
  if (!safe_relative_path(path)) return false;
  for (std::string_view part : split(path, '/')) {
    if (part.starts_with('.')) return false;
  }
  return true;
}

Result<void> set_aside(const ShareConfig& share, std::string_view path, std::string_view event,
                       std::string_view reason, std::string_view message, std::string_view time) {
  if (!visible_path(path))
    return fail(Code::invalid_argument, "not a path inside the share: " + std::string(path));
  const fs::path from = fs::path(share.path) / path,
                 to = fs::path(share.path) / ".set-aside" / path;
  if (::access(from.c_str(), F_OK) != 0) return fail(Code::not_found, from.string() + " is gone");
  boost::json::object why;
  why["file"] = path;
  why["event"] = event;
  why["reason"] = reason;
  why["message"] = message;
  why["time"] = time;
  TRY_VOID(make_directories(to.parent_path()));
  // The reason first: a file set aside without one would be a riddle.
  TRY_VOID(
      replace_file(to.string() + ".reason.json", as_bytes(boost::json::serialize(why) + "\n")));
  if (::rename(from.c_str(), to.c_str()) != 0)
    return std::unexpected(errno_error(errno, "set aside " + from.string()));
  TRY_VOID(sync_directory(to.parent_path()));
  return sync_directory(from.parent_path());
}

}  // namespace holdfast::shares
