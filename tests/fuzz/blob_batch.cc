// Bodies of Blob Batch. What is taken has at most as many parts as a batch may have, each a request
// with a path and no body.
#include <cstdlib>

#include "blob/http/batch_body.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The first line is the content type, so that boundaries are tried as well.
  const size_t end = text.find('\n');
  const std::string_view type = text.substr(0, end);
  const auto parts =
      blob::parse_batch(type, end == std::string_view::npos ? "" : text.substr(end + 1));
  if (!parts) return 0;
  if (parts->empty() || parts->size() > blob::kBatchParts) std::abort();
  for (const blob::BatchPart& part : *parts) {
    if (!part.request.path.starts_with('/') || part.request.content_length != 0) std::abort();
    http::Response response(202);
    response.header("x-ms-request-id", part.request.method);
    if (blob::batch_answer("b", part.id, response).empty()) std::abort();
  }
  return 0;
}
