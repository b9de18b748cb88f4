#include "identity/api_keys.h"

#include "base/digest.h"
#include "base/files.h"

namespace holdfast::identity {
namespace {

constexpr size_t kShortest = 16;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (const std::string_view word : split(line.substr(0, line.find('#')), ' ')) {
    if (!trim(word).empty()) words.push_back(trim(word));
  }
  return words;
}

}  // namespace

Result<ApiKeys> ApiKeys::parse(std::string_view text, const std::string& source) {
  ApiKeys keys;
  size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const auto words = words_of(line);
    if (words.empty()) continue;
    const auto bad = [&](const std::string& what) {
      return fail(Code::invalid_argument, source + ":" + std::to_string(number) + ": " + what);
    };
    if (words.size() != 3) return bad("a line is NAME ROLE KEY");
    if (words[1] != "reader" && words[1] != "operator" && words[1] != "admin")
      return bad("the role '" + std::string(words[1]) + "' is not one of reader, operator, admin");
    if (words[2].size() < kShortest)
      return bad("the key is shorter than " + std::to_string(kShortest) + " characters");
    keys.entries_.push_back({hash(HashKind::sha256, as_bytes(words[2])),
                             {std::string(words[0]), std::string(words[1])}});
  }
  if (keys.entries_.empty())
    return fail(Code::invalid_argument, source + ": there is no key in it");
  return keys;
}

Result<ApiKeys> ApiKeys::read(const std::string& file) {
  TRY(const std::string text, read_file(file, 1 << 20));
  return parse(text, file);
}

std::optional<http::Principal> ApiKeys::find(std::string_view key) const {
  const std::string digest = hash(HashKind::sha256, as_bytes(key));
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (equal_constant_time(entry.digest, digest)) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return found->principal;
}

}  // namespace holdfast::identity
