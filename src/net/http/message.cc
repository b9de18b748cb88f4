#include "net/http/message.h"

namespace holdfast::http {

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string_view Request::param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return {};
}

Response::Response(unsigned code, std::string_view content_type, std::string text)
    : status(code), body(std::move(text)) {
  headers.set("Content-Type", content_type);
}

unsigned status_of(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return 400;
    case Code::unauthenticated:
      return 401;
    case Code::denied:
      return 403;
    case Code::not_found:
      return 404;
    case Code::conflict:
      return 409;
    case Code::precondition_failed:
      return 412;
    case Code::too_large:
      return 413;
    case Code::unavailable:
      return 503;
    case Code::timed_out:
      return 504;
    case Code::cancelled:
      return 503;
    case Code::unsupported:
      return 501;
    case Code::internal:
      return 500;
  }
  return 500;
}

}  // namespace holdfast::http
