// A range on the first line, an address and condition headers on those after it. A range that was
// taken is in order, and is taken again in the form that clients write.
#include <cstdlib>

#include "base/bytes.h"
#include "blob/http/endpoint.h"

#include "blob/http/call.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto lines = split(std::string_view(reinterpret_cast<const char*>(data), size), '\n');
  const auto line = [&](size_t at) { return std::string(at < lines.size() ? lines[at] : ""); };
  http::Request request;
  request.headers.set("x-ms-range", line(0));
  request.path = "/" + line(1);
  request.peer = line(2) + ":1";
  request.headers.set("x-ms-source-if-match", line(3));
  request.headers.set("x-ms-source-if-modified-since", line(4));
  request.headers.set("x-ms-source-if-tags", line(5));
  request.headers.set("x-ms-tags", line(6));
  request.headers.set("X-Forwarded-For", line(7));
  if (const auto range = blob::range_of(request)) {
    if (range->first > range->last) std::abort();
    request.headers.set(
        "x-ms-range", "bytes=" + std::to_string(range->first) + "-" + std::to_string(range->last));
    const auto again = blob::range_of(request);
    if (!again || again->first != range->first || again->last != range->last) std::abort();
  }
  static const blob::Endpoint endpoint =
      *blob::Endpoint::make("https://h/store", {"127.0.0.1", "::/0"});
  endpoint.arrive(request);
  if (const auto address = blob::address_of(request)) {
    (void)blob::check_container_name(address->container);
    (void)blob::check_blob_name(address->blob);
  }
  (void)blob::source_conditions_of(request);
  (void)blob::tags_of(request);
  return 0;
}
