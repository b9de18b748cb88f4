#include "base/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/bytes.h"

namespace holdfast {
namespace {

std::string place(std::string_view source, const YAML::Mark& mark) {
  std::string out(source);
  if (!mark.is_null())
    out += ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  return out;
}

}  // namespace

struct YamlMap::Node {
  YAML::Node node;  // a mapping, or undefined where the key was absent
  std::string source;
  std::string path;  // "shares[2]." before a key
  std::set<std::string, std::less<>> asked;

  Node(const YAML::Node& node_, std::string source_, std::string path_)
      : node(node_), source(std::move(source_)), path(std::move(path_)) {}

  // The key's node; undefined where it is absent or null.
  YAML::Node find(std::string_view key) {
    asked.emplace(key);
    if (!node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    const YAML::Node& constant = node;
    YAML::Node value = constant[std::string(key)];
    return value.IsDefined() && !value.IsNull() ? value : YAML::Node(YAML::NodeType::Undefined);
  }
  Error error(const YAML::Node& at, std::string_view key, std::string_view message) const {
    const YAML::Mark mark = at.IsDefined()     ? at.Mark()
                            : node.IsDefined() ? node.Mark()
                                               : YAML::Mark::null_mark();
    return Error(Code::invalid_argument, place(source, mark) + ": " + path + std::string(key) +
                                             ": " + std::string(message));
  }
};

YamlMap::YamlMap(std::unique_ptr<Node> node) : node_(std::move(node)) {}
YamlMap::YamlMap(YamlMap&&) noexcept = default;
YamlMap& YamlMap::operator=(YamlMap&&) noexcept = default;
YamlMap::~YamlMap() = default;

Result<YamlMap> YamlMap::parse(std::string_view text, std::string_view source) {
  try {
    YAML::Node node = YAML::Load(std::string(text));
    if (node.IsNull()) node = YAML::Node(YAML::NodeType::Map);
    if (!node.IsMap()) {
      return fail(Code::invalid_argument,
                  place(source, node.Mark()) + ": expected 'key: value' lines at the top");
    }
    std::set<std::string> seen;
    for (const auto& item : node) {
      if (!item.first.IsScalar())
        return fail(Code::invalid_argument,
                    place(source, item.first.Mark()) + ": a key must be plain text");
      if (!seen.insert(item.first.Scalar()).second) {
        return fail(Code::invalid_argument, place(source, item.first.Mark()) + ": " +
                                                item.first.Scalar() + ": is there twice");
      }
    }
    return YamlMap(std::make_unique<Node>(node, std::string(source), ""));
  } catch (const YAML::Exception& e) {
    return fail(Code::invalid_argument, place(source, e.mark) + ": " + e.msg);
  }
}

bool YamlMap::has(std::string_view key) const {
  return node_->find(key).IsDefined();
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> out;
  if (!node_->node.IsMap()) return out;
  for (const auto& item : node_->node) out.push_back(item.first.Scalar());
  return out;
}

bool YamlMap::is_map(std::string_view key) const {
  const YAML::Node value = node_->find(key);
  return value.IsDefined() && value.IsMap();
}

Result<std::string> YamlMap::text(std::string_view key) {
  const YAML::Node value = node_->find(key);
  if (!value.IsDefined()) return std::unexpected(node_->error(value, key, "is required"));
  if (!value.IsScalar()) return std::unexpected(node_->error(value, key, "must be a single value"));
  return value.Scalar();
}

Result<std::string> YamlMap::text_or(std::string_view key, std::string_view otherwise) {
  if (!has(key)) return std::string(otherwise);
  return text(key);
}

Result<int64_t> YamlMap::integer_or(std::string_view key, int64_t otherwise, int64_t least,
                                    int64_t most) {
  if (!has(key)) return otherwise;
  TRY(std::string value, text(key));
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least ||
      number > most) {
    return std::unexpected(error_at(key, "'" + value + "' is not a whole number from " +
                                             std::to_string(least) + " to " +
                                             std::to_string(most)));
  }
  return number;
}

Result<double> YamlMap::number_or(std::string_view key, double otherwise) {
  if (!has(key)) return otherwise;
  TRY(std::string value, text(key));
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    return std::unexpected(error_at(key, "'" + value + "' is not a number"));
  }
  return number;
}

Result<bool> YamlMap::flag_or(std::string_view key, bool otherwise) {
  if (!has(key)) return otherwise;
  TRY(std::string value, text(key));
  if (value == "true" || value == "yes" || value == "on") return true;
  if (value == "false" || value == "no" || value == "off") return false;
  return std::unexpected(error_at(key, "'" + value + "' is neither true nor false"));
}

Result<std::chrono::milliseconds> YamlMap::duration_or(std::string_view key,
                                                       std::chrono::milliseconds otherwise) {
  if (!has(key)) return otherwise;
  TRY(std::string value, text(key));
  auto parsed = parse_duration(value);
  if (!parsed) return std::unexpected(error_at(key, parsed.error().message()));
  return *parsed;
}

Result<uint64_t> YamlMap::size_or(std::string_view key, uint64_t otherwise) {
  if (!has(key)) return otherwise;
  TRY(std::string value, text(key));
  auto parsed = parse_size(value);
  if (!parsed) return std::unexpected(error_at(key, parsed.error().message()));
  return *parsed;
}

Result<std::vector<std::string>> YamlMap::texts_or(std::string_view key,
                                                   std::vector<std::string> otherwise) {
  const YAML::Node value = node_->find(key);
  if (!value.IsDefined()) return otherwise;
  if (!value.IsSequence()) return std::unexpected(node_->error(value, key, "must be a list"));
  std::vector<std::string> out;
  for (const auto& item : value) {
    if (!item.IsScalar())
      return std::unexpected(node_->error(item, key, "must be a list of single values"));
    out.push_back(item.Scalar());
  }
  return out;
}

Result<std::vector<double>> YamlMap::numbers_or(std::string_view key,
                                                std::vector<double> otherwise) {
  if (!has(key)) return otherwise;
  TRY(std::vector<std::string> values, texts_or(key, {}));
  std::vector<double> out;
  for (const std::string& value : values) {
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) {
      return std::unexpected(error_at(key, "'" + value + "' is not a number"));
    }
    out.push_back(number);
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> YamlMap::all_texts() {
  std::vector<std::pair<std::string, std::string>> out;
  if (!node_->node.IsMap()) return out;
  for (const auto& item : node_->node) {
    TRY(std::string value, text(item.first.Scalar()));
    out.emplace_back(item.first.Scalar(), std::move(value));
  }
  return out;
}

Result<YamlMap> YamlMap::map(std::string_view key) {
  const YAML::Node value = node_->find(key);
  if (value.IsDefined() && !value.IsMap())
    return std::unexpected(node_->error(value, key, "must hold 'key: value' lines"));
  return YamlMap(
      std::make_unique<Node>(value, node_->source, node_->path + std::string(key) + "."));
}

Result<std::vector<YamlMap>> YamlMap::maps(std::string_view key) {
  const YAML::Node value = node_->find(key);
  std::vector<YamlMap> out;
  if (!value.IsDefined()) return out;
  if (!value.IsSequence()) return std::unexpected(node_->error(value, key, "must be a list"));
  for (const auto& item : value) {
    const std::string name = std::string(key) + "[" + std::to_string(out.size()) + "]";
    if (!item.IsMap())
      return std::unexpected(node_->error(item, name, "must hold 'key: value' lines"));
    out.push_back(YamlMap(std::make_unique<Node>(item, node_->source, node_->path + name + ".")));
  }
  return out;
}

Result<void> YamlMap::finish() const {
  if (!node_->node.IsMap()) return {};
  for (const auto& item : node_->node) {
    const std::string& key = item.first.Scalar();
    if (node_->asked.contains(key)) continue;
    std::string message = "is not a known key";
    const std::string guess = nearest(key, {node_->asked.begin(), node_->asked.end()});
    if (!guess.empty()) message += "; did you mean '" + guess + "'?";
    return std::unexpected(node_->error(item.first, key, message));
  }
  return {};
}

Error YamlMap::error_at(std::string_view key, std::string_view message) const {
  return node_->error(node_->find(key), key, message);
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(word.size() >= 4 ? 2 : 1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    // Levenshtein with one row, and a swap of neighbours counted as two edits.
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t substituted = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace holdfast
