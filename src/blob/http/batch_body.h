// The bodies of Blob Batch: multipart/mixed of whole HTTP messages. Pure functions, any thread.
// Source: "Blob Batch", Azure Storage REST; RFC 2046 section 5.1.
#pragma once

#include <string>
#include <vector>

#include "net/http/message.h"

namespace holdfast::blob {

constexpr size_t kBatchParts = 256;
constexpr uint64_t kBatchBytes = 4 << 20;

struct BatchPart {
  std::string id;         // Content-ID, "" where it has none
  http::Request request;  // without a body; its peer and TLS are the caller's to fill in
};

// invalid_argument "invalid_batch" on what is no such body, "too_many_parts" over 256, and
// "invalid_header" where `content_type` names no boundary.
Result<std::vector<BatchPart>> parse_batch(std::string_view content_type, std::string_view body);

// One part of the answer; only text bodies are carried.
std::string batch_answer(std::string_view boundary, std::string_view id,
                         const http::Response& response);

}  // namespace holdfast::blob
