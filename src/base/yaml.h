// YAML read strictly: every key is asked for, what nobody asked for is an error with line and
// column.
//   TRY(YamlMap map, YamlMap::parse(text, "hub.yaml"));
//   TRY(std::string name, map.text("name"));            // required
//   TRY(auto quiet, map.duration_or("quiet", 500ms));   // optional
//   TRY_VOID(map.finish());                             // unknown keys
// All failures are invalid_argument; messages start "FILE:LINE:COLUMN: key.path: ". Use by one
// thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast {

class YamlMap {
 public:
  // The document's top mapping. An empty document is an empty mapping. `source` names it in errors.
  static Result<YamlMap> parse(std::string_view text, std::string_view source);

  bool has(std::string_view key) const;
  // For maps whose keys the user names: all of them in order, and what one holds. A key counts as
  // asked for where it is then read.
  std::vector<std::string> keys() const;
  bool is_map(std::string_view key) const;
  Result<std::string> text(std::string_view key);
  Result<std::string> text_or(std::string_view key, std::string_view otherwise);
  Result<int64_t> integer_or(std::string_view key, int64_t otherwise, int64_t least, int64_t most);
  Result<double> number_or(std::string_view key, double otherwise);
  Result<bool> flag_or(std::string_view key, bool otherwise);
  Result<std::chrono::milliseconds> duration_or(std::string_view key,
                                                std::chrono::milliseconds otherwise);
  Result<uint64_t> size_or(std::string_view key, uint64_t otherwise);
  Result<std::vector<double>> numbers_or(std::string_view key, std::vector<double> otherwise);
  Result<std::vector<std::string>> texts_or(std::string_view key,
                                            std::vector<std::string> otherwise);
  // Every key with its text value; for maps whose keys the user names.
  Result<std::vector<std::pair<std::string, std::string>>> all_texts();
  // A nested mapping; empty where absent.
  Result<YamlMap> map(std::string_view key);
  // A list of mappings; empty where absent.
  Result<std::vector<YamlMap>> maps(std::string_view key);

  // invalid_argument naming the first key that was never asked for, with the nearest known key
  // suggested.
  Result<void> finish() const;
  // An error at this key's place, for checks that the caller makes.
  Error error_at(std::string_view key, std::string_view message) const;

  YamlMap(YamlMap&&) noexcept;
  YamlMap& operator=(YamlMap&&) noexcept;
  ~YamlMap();

 private:
  struct Node;
  explicit YamlMap(std::unique_ptr<Node> node);
  std::unique_ptr<Node> node_;
};

// The candidate closest to `word` by edit distance, where one is close enough to be meant; else
// empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace holdfast
