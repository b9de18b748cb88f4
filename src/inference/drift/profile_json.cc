#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/digest.h"
#include "base/json_reader.h"
#include "inference/drift/profile.h"
#include "inference/http/codec.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;

constexpr std::string_view kFormat = "holdfast.profile/1";
constexpr int64_t kMostRows = 1LL << 53;
constexpr size_t kMostSample = 10'000;

template <class T>
void append_list(std::string& out, const std::vector<T>& values) {
  out += '[';
  char text[32];
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    out.append(text, std::to_chars(text, text + sizeof text, values[i]).ptr);
  }
  out += ']';
}

Result<const json::array*> list_in(const JsonReader& from, std::string_view key, size_t most) {
  const json::value* found = from.find(key);
  if (found == nullptr || !found->is_array())
    return std::unexpected(from.error_at(key, "must be a list"));
  if (found->get_array().size() > most) return std::unexpected(from.error_at(key, "is too long"));
  return &found->get_array();
}

// Finite numbers, ascending.
Result<std::vector<float>> numbers_in(const JsonReader& from, std::string_view key, size_t most) {
  TRY(const json::array* list, list_in(from, key, most));
  std::vector<float> out;
  out.reserve(list->size());
  for (const json::value& one : *list) {
    boost::system::error_code error;
    const double number = one.is_number() ? one.to_number<double>(error) : NAN;
    const auto value = static_cast<float>(number);
    if (error || !std::isfinite(value) || (!out.empty() && value < out.back()))
      return std::unexpected(from.error_at(key, "must be numbers in ascending order"));
    out.push_back(value);
  }
  return out;
}

Result<uint64_t> count_of(const json::value& value, const JsonReader& from, std::string_view key) {
  boost::system::error_code error;
  const int64_t count = value.is_number() ? value.to_number<int64_t>(error) : -1;
  if (error || count < 0 || count > static_cast<int64_t>(kMostSample))
    return std::unexpected(from.error_at(key, "must be counts of rows of the sample"));
  return static_cast<uint64_t>(count);
}

Result<FeatureProfile> feature_in(const JsonReader& from) {
  FeatureProfile out;
  TRY(out.name, from.text("name"));
  TRY(const int64_t missing, from.integer_or("missing", 0, 0, kMostSample));
  out.missing = static_cast<uint64_t>(missing);
  TRY(out.sample, numbers_in(from, "sample", kMostSample));
  TRY(out.edges, numbers_in(from, "edges", kMostSample));
  if (std::ranges::adjacent_find(out.edges) != out.edges.end())
    return std::unexpected(from.error_at("edges", "must differ"));
  TRY(const json::array* counts, list_in(from, "counts", kMostSample));
  for (const json::value& one : *counts) {
    TRY(const uint64_t count, count_of(one, from, "counts"));
    out.counts.push_back(count);
  }
  if (out.counts != bin_counts(out.sample, out.missing, out.edges))
    return std::unexpected(from.error_at("counts", "are not those of the sample and the edges"));
  return out;
}

Result<ClassProfile> classes_in(const JsonReader& from) {
  ClassProfile out;
  TRY(out.name, from.text("name"));
  TRY(const JsonReader counts, from.object("counts"));
  std::vector<std::pair<std::string, uint64_t>> rows;
  for (const auto& [label, value] : counts.raw()) {
    TRY(const uint64_t count, count_of(value, from, "counts"));
    rows.emplace_back(label, count);
  }
  if (rows.size() > kMostSample) return std::unexpected(from.error_at("counts", "is too long"));
  std::ranges::sort(rows);
  for (const auto& [label, count] : rows) {
    out.labels.push_back(label);
    out.counts.push_back(count);
  }
  TRY(const int64_t other, from.integer_or("other", 0, 0, kMostSample));
  out.counts.push_back(static_cast<uint64_t>(other));
  return out;
}

// The list's objects by `read`, which must have these names in this order.
template <class Item, class Read>
Result<void> read_all_of(const JsonReader& from, std::string_view key,
                         const std::vector<std::string>& names, std::vector<Item>& into,
                         const Read& read) {
  TRY(const json::array* list, list_in(from, key, 100'000));
  for (const json::value& one : *list) {
    const std::string path = from.path(key) + "[" + std::to_string(into.size()) + "]";
    if (!one.is_object()) return fail(Code::invalid_argument, path + ": must be an object");
    TRY(Item item, read(JsonReader(one.get_object(), path)));
    if (into.size() >= names.size() || item.name != names[into.size()])
      return fail(Code::invalid_argument,
                  path + ": the model has " +
                      (into.size() < names.size() ? "'" + names[into.size()] + "'" : "nothing") +
                      " there, the profile '" + item.name + "'; it was made for another model");
    into.push_back(std::move(item));
  }
  if (into.size() == names.size()) return {};
  return fail(Code::invalid_argument,
              from.path(key) + ": '" + names[into.size()] +
                  "' of the model is not there; the profile was made for another one");
}

}  // namespace

std::string to_json(const Profile& profile) {
  std::string out = "{\"format\":\"" + std::string(kFormat) +
                    "\",\"model_digest\":" + json_text(profile.model_digest) +
                    ",\"created\":" + json_text(profile.created) +
                    ",\"rows\":" + std::to_string(profile.rows) +
                    ",\"sample_rows\":" + std::to_string(profile.sample_rows) + ",\n\"features\":[";
  for (const FeatureProfile& feature : profile.features) {
    out += (&feature == profile.features.data() ? "\n" : ",\n");
    out += "{\"name\":" + json_text(feature.name) +
           ",\"missing\":" + std::to_string(feature.missing) + ",\"edges\":";
    append_list(out, feature.edges);
    out += ",\"counts\":";
    append_list(out, feature.counts);
    out += ",\"sample\":";
    append_list(out, feature.sample);
    out += '}';
  }
  out += "],\n\"classes\":[";
  for (const ClassProfile& one : profile.classes) {
    out += (&one == profile.classes.data() ? "\n" : ",\n");
    out += "{\"name\":" + json_text(one.name) + ",\"counts\":{";
    for (size_t i = 0; i < one.labels.size(); ++i)
      out += (i > 0 ? "," : "") + json_text(one.labels[i]) + ":" + std::to_string(one.counts[i]);
    out += "},\"other\":" + std::to_string(one.counts.back()) + "}";
  }
  return out + "]}\n";
}

Result<ProfilePtr> parse_profile(std::string_view text, const Signature& signature) {
  if (text.size() > kMostProfile)
    return fail(Code::invalid_argument,
                std::string(kProfileFile) + " is larger than " + format_size(kMostProfile));
  TRY(const json::object object, parse_json_object(text, kProfileFile));
  const JsonReader from(object, kProfileFile);
  TRY(const std::string format, from.text("format"));
  if (format != kFormat)
    return std::unexpected(from.error_at("format", "must be " + std::string(kFormat)));
  auto out = std::make_shared<Profile>();
  TRY(out->model_digest, from.text_or("model_digest", ""));
  TRY(out->created, from.text_or("created", ""));
  TRY(const int64_t rows, from.integer_or("rows", 0, 0, kMostRows));
  TRY(const int64_t sample, from.integer_or("sample_rows", 0, 0, kMostSample));
  out->rows = static_cast<uint64_t>(rows);
  out->sample_rows = static_cast<uint64_t>(sample);
  out->plan = plan_for(signature);
  TRY_VOID(read_all_of(from, "features", out->plan.features, out->features, feature_in));
  TRY_VOID(read_all_of(from, "classes", out->plan.classes, out->classes, classes_in));
  out->digest = "sha256:" + sha256_hex(as_bytes(text));
  return ProfilePtr(std::move(out));
}

}  // namespace holdfast::inference
