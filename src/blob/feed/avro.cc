#include "blob/feed/avro.h"

namespace holdfast::blob::avro {
namespace {

constexpr size_t kBlock = 64 << 10;
constexpr int64_t kRecords = 1000;

}  // namespace

void Encoder::number(int64_t value) {
  uint64_t rest = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; rest >= 0x80; rest >>= 7) out_ += static_cast<char>((rest & 0x7f) | 0x80);
  out_ += static_cast<char>(rest);
}

void Encoder::text(std::string_view value) {
  number(static_cast<int64_t>(value.size()));
  out_ += value;
}

void Encoder::optional_text(const std::optional<std::string>& value) {
  number(value ? 1 : 0);
  if (value) text(*value);
}

void Encoder::map(const std::vector<std::pair<std::string, std::string>>& pairs) {
  if (!pairs.empty()) number(static_cast<int64_t>(pairs.size()));
  for (const auto& [name, value] : pairs) {
    text(name);
    text(value);
  }
  number(0);
}

File::File(std::string_view schema, std::string sync) : sync_(std::move(sync)) {
  out_.raw(std::string_view("Obj\x01", 4));
  out_.map({{"avro.codec", "null"}, {"avro.schema", std::string(schema)}});
  out_.raw(sync_);
}

void File::add(std::string_view record) {
  block_ += record;
  ++records_;
  if (block_.size() >= kBlock || records_ == kRecords) end_block();
}

void File::end_block() {
  if (records_ == 0) return;
  out_.number(records_);
  out_.text(block_);  // the block's size and its bytes
  out_.raw(sync_);
  block_.clear();
  records_ = 0;
}

std::string File::finish() {
  end_block();
  return out_.take();
}

}  // namespace holdfast::blob::avro
