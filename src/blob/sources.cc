#include "blob/sources.h"

#include "base/clock.h"
#include "net/http/address.h"

namespace holdfast::blob {
namespace {

std::unexpected<Error> unavailable_source(const std::string& why) {
  return fail(Code::timed_out, "source_unavailable",
              "Could not verify the copy source within the specified time: " + why);
}

std::unexpected<Error> unusable_source(std::string why) {
  return fail(Code::invalid_argument, "source_unusable", std::move(why));
}

std::unexpected<Error> not_listed(const std::string& what) {
  return fail(Code::denied, "source_denied",
              what +
                  "; what may be copied from is listed in hub.yaml, storage: copy-sources: "
                  "(hosts, and addresses where a host is not at a public one)");
}

// Exactly so many bytes, in good time.
class PacedSource final : public ByteSource {
 public:
  PacedSource(std::unique_ptr<ByteSource> body, uint64_t size, SourceLimits limits)
      : body_(std::move(body)), left_(size), limits_(limits) {}

  Task<Result<size_t>> read(std::span<std::byte> into) override {
    if (left_ == 0 || into.empty()) co_return size_t{0};
    if (into.size() > left_) into = into.first(left_);
    auto count = co_await body_->read(into);
    if (!count && count.error().code() == Code::cancelled) co_return count;
    if (!count) co_return unavailable_source(count.error().message());
    if (*count == 0) co_return unavailable_source("the source ended before its length");
    left_ -= *count;
    read_ += *count;
    const auto late = std::chrono::steady_clock::now() - started_ - limits_.silence;
    const double wanted =
        std::chrono::duration<double>(late).count() * static_cast<double>(limits_.slowest);
    if (left_ > 0 && static_cast<double>(read_) < wanted)
      co_return unavailable_source("the source is too slow");
    co_return count;
  }

 private:
  std::unique_ptr<ByteSource> body_;
  uint64_t left_, read_ = 0;
  SourceLimits limits_;
  MonoTime started_ = std::chrono::steady_clock::now();
};

// "bytes FIRST-LAST/TOTAL".
struct ContentRange {
  uint64_t first = 0, last = 0, total = 0;
};
std::optional<ContentRange> content_range_of(const http::Headers& headers) {
  std::string_view text = headers.get_or("Content-Range", "");
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash)
    return std::nullopt;
  const auto first = parse_u64(text.substr(0, dash)),
             last = parse_u64(text.substr(dash + 1, slash - dash - 1)),
             total = parse_u64(text.substr(slash + 1));
  if (!first || !last || !total || *first > *last || *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

// What the source itself did not look at.
Result<void> check_conditions(const http::Headers& asked, const http::Headers& got) {
  const auto not_met = [] {
    return fail(Code::precondition_failed, "source_condition_not_met",
                "The source condition specified using HTTP conditional header(s) is not met.");
  };
  const std::string_view etag = trim(got.get_or("ETag", ""));
  const auto same = [&](std::string_view wanted) {
    wanted = trim(wanted);
    return wanted == "*" || wanted == etag ||
           (etag.size() > 2 && wanted == etag.substr(1, etag.size() - 2));
  };
  if (const auto wanted = asked.get("If-Match"); wanted && !same(*wanted)) return not_met();
  if (const auto other = asked.get("If-None-Match"); other && same(*other)) return not_met();
  const auto modified = parse_http_date(got.get_or("Last-Modified", ""));
  for (const bool since : {true, false}) {
    const auto header = asked.get(since ? "If-Modified-Since" : "If-Unmodified-Since");
    if (!header) continue;
    TRY(const WallTime time, parse_http_date(*header));
    if (!modified || (*modified > time) != since) return not_met();
  }
  return {};
}

Result<void> check_status(unsigned status, const http::Headers& headers) {
  const std::string code(headers.get_or("x-ms-error-code", ""));
  const std::string text =
      "the source answered " + std::to_string(status) + (code.empty() ? "" : " " + code);
  if (status == 200 || status == 206) return {};
  if (status == 304 || status == 412)
    return fail(Code::precondition_failed, "source_condition_not_met",
                "The source condition specified using HTTP conditional header(s) is not met.");
  if (status == 401 || status == 403) return fail(Code::denied, "source_denied", text);
  if (status == 404 || status == 410) return fail(Code::not_found, "copy_source_not_found", text);
  if (status == 416)
    return fail(Code::invalid_argument, "invalid_range",
                "The range specified is invalid for the current size of the resource.");
  if (status == 408 || status == 429 || status >= 500) return unavailable_source(text);
  if (status / 100 == 3) return unusable_source(text + ": a redirect is not followed");
  return unusable_source(text);
}

http::ClientOptions options_of(const SourceList& list, const SourceLimits& limits) {
  http::ClientOptions options;
  options.connect_timeout = limits.connect;
  options.may_connect = [list](const std::string& host, uint16_t port, const std::string& address) {
    return list.may_connect(host, port, address);
  };
  return options;
}

}  // namespace

Sources::Sources(SourceList list, SourceLimits limits)
    : list_(std::move(list)), limits_(limits), client_(options_of(list_, limits_)) {}

Task<Result<FetchedSource>> Sources::open(SourceRequest wanted) {
  const auto url = http::parse_url(wanted.url);
  if (!url)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "x-ms-copy-source must be the URL of a blob");
  if (!list_.may_ask(url->host, url->port))
    co_return not_listed("nothing is copied from " + url->authority);
  http::ClientRequest request("GET", wanted.url);
  request.headers = wanted.headers;
  request.timeout = limits_.silence;
  if (wanted.range) {
    const std::string last =
        wanted.range->last == UINT64_MAX ? "" : std::to_string(wanted.range->last);
    request.headers.set("Range", "bytes=" + std::to_string(wanted.range->first) + "-" + last);
  }
  request.headers.set("Accept-Encoding", "identity");
  auto answer = co_await client_.send(std::move(request));
  if (!answer && answer.error().code() == Code::cancelled)
    co_return std::unexpected(answer.error());
  if (!answer && answer.error().reason() == "address_not_allowed")
    co_return not_listed(answer.error().message());
  if (!answer) co_return unavailable_source(answer.error().message());
  CO_TRY_VOID(check_status(answer->status, answer->headers));
  CO_TRY_VOID(check_conditions(wanted.headers, answer->headers));
  const auto length = parse_u64(trim(answer->headers.get_or("Content-Length", "")));
  if (!length || answer->headers.get("Transfer-Encoding"))
    co_return unusable_source("the source does not tell its length");
  FetchedSource source;
  source.size = source.total = *length;
  const bool whole = !wanted.range || (wanted.or_whole && answer->status == 200);
  if (!whole) {
    const auto got = content_range_of(answer->headers);
    if (answer->status != 206 || !got)
      co_return unusable_source("the source does not serve ranges");
    if (got->first != wanted.range->first || got->last > wanted.range->last ||
        got->last - got->first + 1 != *length)
      co_return unusable_source("the source answered with another range than was asked for");
    source.first = got->first;
    source.total = got->total;
  } else if (answer->status != 200) {
    co_return unusable_source("the source answered with a range that nobody asked for");
  }
  source.headers = std::move(answer->headers);
  source.body = std::make_unique<PacedSource>(std::move(answer->body), source.size, limits_);
  co_return source;
}

}  // namespace holdfast::blob
