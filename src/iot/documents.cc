#include "iot/documents.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/bytes.h"
#include "base/exact_json.h"

namespace holdfast::iot {
namespace {

namespace json = boost::json;

constexpr int kDepth = 10;
constexpr size_t kNameLimit = 1 << 10;
constexpr size_t kTextLimit = 4 << 10;
constexpr int64_t kIntegerLimit = int64_t{1} << 52;

std::unexpected<Error> wrong(std::string text) {
  return fail(Code::invalid_argument, std::move(text));
}

Result<void> check_name(std::string_view name, const std::string& path) {
  bool fits = !name.empty() && name.size() <= kNameLimit;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    fits = fits && byte > 0x20 && byte != 0x7F && c != '.' && c != '$';
  }
  if (fits) return {};
  return wrong(path +
               ": a name is 1 to 1024 bytes without control characters, '.', '$' and spaces");
}

Result<void> check_value(const json::value& value, const std::string& path, int depth);

Result<void> check_object(const json::object& values, const std::string& path, int depth) {
  if (depth > kDepth) return wrong(path + ": nested deeper than 10 levels");
  for (const auto& [name, value] : values) {
    TRY_VOID(check_name(name, path + "." + std::string(name.substr(0, 64))));
    TRY_VOID(check_value(value, path + "." + std::string(name), depth + 1));
  }
  return {};
}

Result<void> check_value(const json::value& value, const std::string& path, int depth) {
  if (const auto* object = value.if_object()) return check_object(*object, path, depth);
  if (const auto* array = value.if_array()) {
    if (depth > kDepth) return wrong(path + ": nested deeper than 10 levels");
    for (const auto& each : *array) TRY_VOID(check_value(each, path + "[]", depth + 1));
    return {};
  }
  if (const auto* text = value.if_string(); text != nullptr && text->size() > kTextLimit)
    return wrong(path + ": a text is at most 4 KiB");
  const auto* number = value.if_int64();
  if (value.is_uint64() ||
      (number != nullptr && (*number > kIntegerLimit || *number < -kIntegerLimit)))
    return wrong(path + ": whole numbers lie between -2^52 and 2^52");
  return {};
}

struct Stamp {
  std::string time;
  std::optional<uint64_t> version;

  void mark(json::object& metadata) const {
    metadata["$lastUpdated"] = time;
    if (version) metadata["$lastUpdatedVersion"] = *version;
  }
};

json::object metadata_of(const json::object& values, const Stamp& stamp) {
  json::object out;
  stamp.mark(out);
  for (const auto& [name, value] : values) {
    if (const auto* object = value.if_object()) {
      out[name] = metadata_of(*object, stamp);
    } else {
      json::object leaf;
      stamp.mark(leaf);
      out[name] = std::move(leaf);
    }
  }
  return out;
}

// A new object takes no nulls: there is nothing for them to remove.
json::object without_nulls(const json::object& values) {
  json::object out;
  for (const auto& [name, value] : values) {
    if (value.is_null()) continue;
    if (const auto* object = value.if_object())
      out[name] = without_nulls(*object);
    else
      out[name] = value;
  }
  return out;
}

void merge_into(json::object& values, json::object* metadata, const json::object& patch,
                const Stamp& stamp) {
  if (metadata != nullptr) stamp.mark(*metadata);
  for (const auto& [name, value] : patch) {
    if (value.is_null()) {
      values.erase(name);
      if (metadata != nullptr) metadata->erase(name);
      continue;
    }
    auto* inner = values.if_contains(name);
    const auto* object = value.if_object();
    if (object != nullptr && inner != nullptr && inner->is_object()) {
      json::object* place = nullptr;
      if (metadata != nullptr) {
        json::value& at = (*metadata)[name];
        if (!at.is_object()) at = json::object();
        place = &at.as_object();
      }
      merge_into(inner->as_object(), place, *object, stamp);
      continue;
    }
    json::value fresh = object != nullptr ? json::value(without_nulls(*object)) : value;
    if (metadata != nullptr) {
      json::object wrapped;
      wrapped[name] = fresh;
      (*metadata)[name] = metadata_of(wrapped, stamp)[name];
    }
    values[name] = std::move(fresh);
  }
}

Stamp stamp_of(WallTime time, uint64_t version, bool with_version) {
  Stamp stamp{format_rfc3339(time), std::nullopt};
  if (with_version) stamp.version = version;
  return stamp;
}

}  // namespace

Result<json::object> as_section(const json::value& value, std::string_view what) {
  const auto* object = value.if_object();
  if (object == nullptr) return wrong(std::string(what) + " must be a JSON object");
  json::object out = *object;
  out.erase("$version");
  out.erase("$metadata");
  return out;
}

Result<json::object> parse_object(std::string_view text, std::string_view what) {
  const auto value = parse_json_exactly(text);
  if (!value) return wrong(std::string(what) + " is not JSON: " + value.error().message());
  return as_section(*value, what);
}

Result<void> check_section(const json::object& values, std::string_view what) {
  return check_object(values, std::string(what), 0);
}

Result<void> check_size(const json::object& values, size_t limit, std::string_view what) {
  if (json::serialize(values).size() <= limit) return {};
  return fail(Code::too_large, std::string(what) + " would be larger than " + format_size(limit));
}

void merge(json::object& values, const json::object& patch) {
  merge_into(values, nullptr, patch, Stamp());
}

void merge(Section& section, const json::object& patch, WallTime time, bool with_version) {
  ++section.version;
  merge_into(section.values, &section.metadata, patch,
             stamp_of(time, section.version, with_version));
}

json::object difference(const json::object& from, const json::object& to) {
  json::object out;
  for (const auto& [name, value] : from) {
    if (!to.contains(name)) out[name] = nullptr;
  }
  for (const auto& [name, value] : to) {
    const auto* had = from.if_contains(name);
    if (had != nullptr && *had == value) continue;
    if (had != nullptr && had->is_object() && value.is_object())
      out[name] = difference(had->as_object(), value.as_object());
    else
      out[name] = value;
  }
  return out;
}

json::object replace(Section& section, const json::object& values, WallTime time,
                     bool with_version) {
  json::object clean = without_nulls(values);
  json::object patch = difference(section.values, clean);
  ++section.version;
  section.metadata = metadata_of(clean, stamp_of(time, section.version, with_version));
  section.values = std::move(clean);
  return patch;
}

Section new_section(WallTime time, bool with_version) {
  Section out;
  stamp_of(time, out.version, with_version).mark(out.metadata);
  return out;
}

}  // namespace holdfast::iot
