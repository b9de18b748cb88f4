#include "inference/http/body.h"

#include "inference/http/content_coding.h"

namespace holdfast::inference {
namespace {

constexpr size_t kAligned = alignof(std::max_align_t);  // of memory for large strings

// Charges what comes when it comes: what is announced may never be sent.
class ChargedSource final : public ByteSource {
 public:
  ChargedSource(ByteSource& source, BodyShare& share) : source_(source), share_(share) {}
  Task<Result<size_t>> read(std::span<std::byte> into) override {
    CO_TRY(const size_t count, co_await source_.read(into));
    CO_TRY_VOID(share_.grow(count));
    co_return count;
  }
  std::optional<uint64_t> left() const override { return source_.left(); }

 private:
  ByteSource& source_;
  BodyShare& share_;
};

}  // namespace

Result<void> BodyShare::grow(uint64_t bytes) {
  bytes_ += bytes;
  const uint64_t used = of_->used_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (bytes_ > of_->most_)
    return fail(Code::too_large, "the request needs more than the " + format_size(of_->most_) +
                                     " that all have together");
  if (used > of_->most_)
    return fail(Code::unavailable,
                "requests on their way have all the memory that there is for "
                "them; try again");
  return {};
}

Task<Result<Body>> read_body(http::Request& request, BodyMemory& memory, uint64_t json_size) {
  Body body{.bytes = {}, .share = BodyShare(memory)};
  const std::string_view coding = request.headers.get_or("Content-Encoding", "");
  if (coding.empty()) body.before = (kAligned - json_size % kAligned) % kAligned;
  ChargedSource source(*request.body, body.share);
  auto sent = co_await read_all(source, kMostBody, body.before);
  if (!sent && sent.error().code() == Code::timed_out)
    co_return fail(Code::timed_out, "slow_body", "the body did not arrive in time");
  CO_TRY(body.bytes, std::move(sent));
  const size_t size = body.bytes.size();
  CO_TRY(body.bytes, decompress(coding, std::move(body.bytes), kMostBody));
  if (body.bytes.size() > size) CO_TRY_VOID(body.share.grow(body.bytes.size() - size));
  co_return body;
}

}  // namespace holdfast::inference
