#include "cli/output.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/bytes.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

// One cell stays one cell: a backslash, tab, newline or carriage return of its text is escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else
      out += c;
  }
  return out;
}

std::string scalar(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_null()) return "";
  if (value.is_double()) {  // shortest form that reads back; the library's is 1.5E0
    char text[32];
    return std::string(text, std::to_chars(text, text + sizeof text, value.as_double()).ptr);
  }
  return json::serialize(value);
}

void pretty(std::string& out, const json::value& value, size_t depth) {
  const std::string pad(depth * 2 + 2, ' '), end(depth * 2, ' ');
  if (value.is_object() && !value.as_object().empty()) {
    out += "{\n";
    bool first = true;
    for (const auto& [key, item] : value.as_object()) {
      out += (first ? "" : ",\n") + pad + json::serialize(json::value(key)) + ": ";
      first = false;
      pretty(out, item, depth + 1);
    }
    out += "\n" + end + "}";
  } else if (value.is_array() && !value.as_array().empty()) {
    out += "[\n";
    bool first = true;
    for (const json::value& item : value.as_array()) {
      out += (first ? "" : ",\n") + pad;
      first = false;
      pretty(out, item, depth + 1);
    }
    out += "\n" + end + "]";
  } else {
    out += json::serialize(value);
  }
}

// Keys that YAML reads as text without quotes.
bool plain_key(std::string_view key) {
  static constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no",
                                                "on",   "off",   "y",    "n"};
  if (key.empty() || kLetters.find(key[0]) == std::string_view::npos) return false;
  std::string lower;
  for (const char c : key) {
    if (kLetters.find(c) == std::string_view::npos && c != '-' && (c < '0' || c > '9'))
      return false;
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return std::find(std::begin(kWords), std::end(kWords), lower) == std::end(kWords);
}

bool holds_items(const json::value& value) {
  return (value.is_object() && !value.as_object().empty()) ||
         (value.is_array() && !value.as_array().empty());
}

// Block style; every text in double quotes, which JSON and YAML read alike.
void yaml(std::string& out, const json::value& value, size_t depth) {
  const std::string pad(depth * 2, ' ');
  if (!holds_items(value)) {
    out += pad + json::serialize(value) + "\n";
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) {
      out += pad + (plain_key(key) ? std::string(key) : json::serialize(json::value(key))) + ":";
      if (holds_items(item)) {
        out += "\n";
        yaml(out, item, depth + 1);
      } else {
        out += " " + json::serialize(item) + "\n";
      }
    }
  } else {
    for (const json::value& item : value.as_array()) {
      std::string inner;
      yaml(inner, item, depth + 1);
      inner[depth * 2] = '-';
      out += inner;
    }
  }
}

}  // namespace

Result<Form> parse_form(const std::string& text) {
  static constexpr std::pair<std::string_view, Form> forms[] = {{"table", Form::table},
                                                                {"json", Form::json},
                                                                {"yaml", Form::yaml},
                                                                {"tsv", Form::tsv},
                                                                {"none", Form::none}};
  for (const auto& [name, form] : forms) {
    if (name == text) return form;
  }
  return fail(Code::invalid_argument,
              "--output is table, json, yaml, tsv or none, not '" + text + "'");
}

std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    // U+0080 to U+009F are controls too, and stand as two bytes.
    const bool second =
        c == 0xc2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xa0;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c < 0x20 || c == 0x7f || second) {
      const uint8_t code = second ? static_cast<uint8_t>(text[++i]) : c;
      out += "\\x" + hex(ByteView(reinterpret_cast<const std::byte*>(&code), 1));
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string cell(const json::value& row, const std::string& field, bool human) {
  const json::value* at = &row;
  for (std::string_view part : split(field, '.')) {
    at = at->is_object() ? at->as_object().if_contains(part) : nullptr;
    if (at == nullptr) return "";
  }
  const bool size = field == "size" || field.ends_with("bytes") || field.ends_with(".size");
  if (human && size && (at->is_int64() || at->is_uint64()))
    return format_size(at->to_number<uint64_t>());
  if (human && at->is_double()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", at->as_double());
    return text;
  }
  if (human && at->is_bool()) return at->as_bool() ? "yes" : "";
  return scalar(*at);
}

std::string render(Form form, const json::value& rows, const std::vector<Column>& columns) {
  std::string out;
  if (form == Form::none) return out;
  if (form == Form::json) {
    pretty(out, rows, 0);
    return out + "\n";
  }
  if (form == Form::yaml) {
    yaml(out, rows, 0);
    return out;
  }
  const json::array one = rows.is_array() ? json::array() : json::array({rows});
  const json::array& list = rows.is_array() ? rows.as_array() : one;
  std::vector<std::vector<std::string>> lines;
  if (form == Form::table) {
    lines.emplace_back();
    for (const Column& column : columns) lines.back().push_back(column.heading);
  }
  for (const json::value& row : list) {
    lines.emplace_back();
    for (const Column& column : columns)
      lines.back().push_back(form == Form::table ? printable(cell(row, column.field, true))
                                                 : cell(row, column.field, false));
  }
  if (form == Form::tsv) {
    for (const auto& line : lines) {
      for (size_t i = 0; i < line.size(); ++i) out += (i == 0 ? "" : "\t") + escaped(line[i]);
      out += "\n";
    }
    return out;
  }
  std::vector<size_t> widths(columns.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  }
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i)
      text += line[i] +
              (i + 1 < line.size() ? std::string(widths[i] - width_of(line[i]) + 2, ' ') : "");
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  }
  if (list.empty()) out += "(none)\n";
  return out;
}

}  // namespace holdfast::cli
