#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace holdfast {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::unauthenticated:
      return "unauthenticated";
    case Code::denied:
      return "denied";
    case Code::not_found:
      return "not_found";
    case Code::conflict:
      return "conflict";
    case Code::precondition_failed:
      return "precondition_failed";
    case Code::too_large:
      return "too_large";
    case Code::unavailable:
      return "unavailable";
    case Code::timed_out:
      return "timed_out";
    case Code::cancelled:
      return "cancelled";
    case Code::unsupported:
      return "unsupported";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

Error Error::with_context(std::string_view context) const& {
  return Error(*this).with_context(context);
}

Error Error::with_context(std::string_view context) && {
  message_.insert(0, std::string(context) + ": ");
  return std::move(*this);
}

Error errno_error(int number, std::string_view what) {
  Code code = Code::internal;
  std::string_view reason;
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      code = Code::not_found;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = Code::denied;
      break;
    case EEXIST:
    case ENOTEMPTY:
    case EADDRINUSE:
      code = Code::conflict;
      break;
    case ENOSPC:
    case EDQUOT:
      code = Code::unavailable;
      reason = "disk_full";
      break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EAGAIN:
      code = Code::unavailable;
      break;
    case ETIMEDOUT:
      code = Code::timed_out;
      break;
    case EINVAL:
    case ENAMETOOLONG:
      code = Code::invalid_argument;
      break;
    default:
      break;
  }
  return Error(code, reason, std::string(what) + ": " + std::strerror(number));
}

}  // namespace holdfast
