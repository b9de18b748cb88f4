// Sources of copies that lie elsewhere, fetched over HTTP or HTTPS from the servers that the owner
// listed. A name is resolved once, and just the address that was checked is connected to; nothing
// is followed; what is slow, or of another length than it said, is given up.
#pragma once

#include <memory>
#include <string>

#include "blob/source_list.h"
#include "blob/types.h"
#include "net/http/client.h"

namespace holdfast::blob {

struct SourceLimits {
  std::chrono::milliseconds connect{5000};
  // Without a byte; and after it, less than `slowest` a second on the whole.
  std::chrono::milliseconds silence{20000};
  uint64_t slowest = 16 << 10;
};

struct SourceRequest {
  std::string url;
  std::optional<Range> range;
  bool or_whole = false;  // of who serves no ranges, the whole will do
  http::Headers headers;  // Authorization, If-Match and their like
};

struct FetchedSource {
  uint64_t first = 0;  // where the body begins
  uint64_t size = 0;   // of the body
  uint64_t total = 0;  // of the whole
  http::Headers headers;
  std::unique_ptr<ByteSource> body;  // fails where its size is another
};

// Any thread may call. Destroy it before the executors on which it was used.
class Sources {
 public:
  explicit Sources(SourceList list, SourceLimits limits = {});
  // denied "source_denied" (not listed, or the source says 401 or 403); not_found
  // "copy_source_not_found"; precondition_failed "source_condition_not_met"; invalid_argument
  // "invalid_range", "invalid_header" (no URL), "source_unusable" (no length, a redirect, an answer
  // that makes no sense); timed_out "source_unavailable" (not reached, cut, too slow, 5xx): another
  // try may succeed. The body fails with the last one too.
  Task<Result<FetchedSource>> open(SourceRequest request);

 private:
  SourceList list_;
  SourceLimits limits_;
  http::Client client_;
};

}  // namespace holdfast::blob
