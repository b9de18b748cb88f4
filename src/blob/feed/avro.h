// An Apache Avro object container file (specification 1.11) without compression: a header with the
// schema, then blocks of records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::blob::avro {

// Binary encoding of values, one behind the other.
class Encoder {
 public:
  void number(int64_t value);  // int and long: zigzag, in groups of seven bits
  void text(std::string_view value);
  // The union ["null", "string"].
  void optional_text(const std::optional<std::string>& value);
  // A map of strings.
  void map(const std::vector<std::pair<std::string, std::string>>& pairs);
  void raw(std::string_view bytes) { out_ += bytes; }
  size_t size() const { return out_.size(); }
  std::string take() { return std::exchange(out_, {}); }

 private:
  std::string out_;
};

class File {
 public:
  // `sync`: 16 bytes that stand between the blocks.
  File(std::string_view schema, std::string sync);
  // A record's encoding. A block ends after 64 KiB or 1,000 records.
  void add(std::string_view record);
  std::string finish();  // the whole file

 private:
  void end_block();
  std::string sync_;
  Encoder out_;
  std::string block_;
  int64_t records_ = 0;
};

}  // namespace holdfast::blob::avro
