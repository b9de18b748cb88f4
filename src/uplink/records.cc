#include "uplink/records.h"

#include <cstdio>

#include "base/bytes.h"

namespace holdfast::uplink {

std::string begin_record(const std::string& event, uint64_t size, uint64_t block_size) {
  return "begin " + event + " " + std::to_string(size) + " " + std::to_string(block_size);
}
std::string block_record(const std::string& event, uint32_t block) {
  return "block " + event + " " + std::to_string(block);
}
std::string committed_record(const std::string& event) {
  return "committed " + event;
}

Result<void> apply(std::map<std::string, Upload>& uploads, uint64_t sequence,
                   std::string_view record) {
  const auto words = split(record, ' ');
  const auto bad = [&] {
    return fail(Code::internal,
                "the uplink's journal has a record that is not understood: " + std::string(record));
  };
  if (words.size() < 2) return bad();
  const std::string event(words[1]);
  if (words[0] == "committed") {
    uploads.erase(event);
    return {};
  }
  if (words[0] == "begin" && words.size() == 4) {
    const auto size = parse_u64(words[2]), block_size = parse_u64(words[3]);
    if (!size || !block_size || *block_size == 0) return bad();
    Upload upload;
    upload.size = *size;
    upload.block_size = *block_size;
    upload.first_sequence = sequence;
    uploads[event] = std::move(upload);
    return {};
  }
  if (words[0] == "block" && words.size() == 3) {
    const auto number = parse_u64(words[2]);
    const auto found = uploads.find(event);
    if (!number) return bad();
    if (found != uploads.end()) found->second.blocks.insert(static_cast<uint32_t>(*number));
    return {};
  }
  return bad();
}

std::string block_id(const std::string& event, uint32_t block) {
  char number[16];
  std::snprintf(number, sizeof number, "-%06u", block);
  return base64(as_bytes(event + number));
}

}  // namespace holdfast::uplink
