#include <algorithm>
#include <boost/json/parse.hpp>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "broker/condition_node.h"

namespace holdfast::broker {
namespace {

namespace json = boost::json;

Value from_json(const json::value& value) {
  if (value.is_null()) return Null{};
  if (value.is_bool()) return value.get_bool();
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_number()) return value.to_number<double>();
  return Structure{};
}

bool is_undefined(const Value& value) {
  return std::holds_alternative<Undefined>(value);
}

// Both of one comparable type, or undefined.
Value compare(const std::string& sign, const Value& a, const Value& b) {
  if (is_undefined(a) || is_undefined(b)) return Undefined{};
  if (a.index() != b.index()) {
    // Different types: unlike, and without an order.
    if (sign == "=") return false;
    if (sign == "!=") return true;
    return Undefined{};
  }
  if (sign == "=") return a == b;
  if (sign == "!=") return a != b;
  if (!std::holds_alternative<double>(a) && !std::holds_alternative<std::string>(a))
    return Undefined{};
  if (sign == "<") return a < b;
  if (sign == "<=") return a <= b;
  if (sign == ">") return a > b;
  return a >= b;
}

Value arithmetic(const std::string& sign, const Value& a, const Value& b) {
  if (sign == "||") {
    const auto* left = std::get_if<std::string>(&a);
    const auto* right = std::get_if<std::string>(&b);
    if (left == nullptr || right == nullptr) return Undefined{};
    return *left + *right;
  }
  const double* left = std::get_if<double>(&a);
  const double* right = std::get_if<double>(&b);
  if (left == nullptr || right == nullptr) return Undefined{};
  if (sign == "+") return *left + *right;
  if (sign == "-") return *left - *right;
  if (sign == "*") return *left * *right;
  if (*right == 0) return Undefined{};
  return sign == "/" ? *left / *right : std::fmod(*left, *right);
}

std::optional<double> number_of(const Value& value) {
  if (const double* number = std::get_if<double>(&value)) return *number;
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || text->empty()) return std::nullopt;
  double out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return out;
}

Value math(const std::string& name, double x) {
  if (name == "abs") return std::fabs(x);
  if (name == "exp") return std::exp(x);
  if (name == "square") return x * x;
  if (name == "ceiling") return std::ceil(x);
  if (name == "floor") return std::floor(x);
  if (name == "sign") return x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0;
  if (name == "sqrt" && x >= 0) return std::sqrt(x);
  return Undefined{};
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

Value substring(const std::string& text, const std::vector<Value>& arguments) {
  const double* from = std::get_if<double>(&arguments[1]);
  if (from == nullptr || *from < 0 || *from > static_cast<double>(text.size())) return Undefined{};
  const auto begin = static_cast<size_t>(*from);
  if (arguments.size() == 2) return text.substr(begin);
  const double* size = std::get_if<double>(&arguments[2]);
  if (size == nullptr || *size < 0) return Undefined{};
  return text.substr(begin, static_cast<size_t>(std::min(*size, 1e9)));
}

Value of_texts(const std::string& name, const std::string& text, const std::string& other) {
  if (name == "starts_with") return text.starts_with(other);
  if (name == "ends_with") return text.ends_with(other);
  if (name == "contains") return text.find(other) != std::string::npos;
  const size_t at = text.find(other);  // index_of
  return at == std::string::npos ? -1.0 : static_cast<double>(at);
}

Value of_types(const std::string& name, const Value& value) {
  if (name == "is_defined") return !is_undefined(value);
  if (name == "is_null") return std::holds_alternative<Null>(value);
  if (name == "is_bool") return std::holds_alternative<bool>(value);
  if (name == "is_number") return std::holds_alternative<double>(value);
  return std::holds_alternative<std::string>(value);  // is_string
}

constexpr std::pair<std::string_view, Arity> kFunctions[] = {
    {"is_defined", {1, 1}},  {"is_null", {1, 1}},   {"is_bool", {1, 1}},   {"is_number", {1, 1}},
    {"is_string", {1, 1}},   {"as_number", {1, 1}}, {"abs", {1, 1}},       {"exp", {1, 1}},
    {"power", {2, 2}},       {"square", {1, 1}},    {"ceiling", {1, 1}},   {"floor", {1, 1}},
    {"sign", {1, 1}},        {"sqrt", {1, 1}},      {"concat", {1, 100}},  {"length", {1, 1}},
    {"lower", {1, 1}},       {"upper", {1, 1}},     {"substring", {2, 3}}, {"index_of", {2, 2}},
    {"starts_with", {2, 2}}, {"ends_with", {2, 2}}, {"contains", {2, 2}}};

}  // namespace

std::optional<Arity> arity_of(std::string_view name) {
  for (const auto& [known, arity] : kFunctions)
    if (known == name) return arity;
  return std::nullopt;
}

Value call_function(const std::string& name, const std::vector<Value>& arguments) {
  const Value& first = arguments[0];
  if (name.starts_with("is_")) return of_types(name, first);
  if (name == "as_number") {
    const auto number = number_of(first);
    return number ? Value(*number) : Value(Undefined{});
  }
  if (name == "concat") {
    std::string all;
    for (const Value& one : arguments) {
      const auto* text = std::get_if<std::string>(&one);
      if (text == nullptr) return Undefined{};
      all += *text;
    }
    return all;
  }
  if (const double* number = std::get_if<double>(&first)) {
    if (name != "power") return math(name, *number);
    const double* exponent = std::get_if<double>(&arguments[1]);
    return exponent == nullptr ? Value(Undefined{}) : Value(std::pow(*number, *exponent));
  }
  const auto* text = std::get_if<std::string>(&first);
  if (text == nullptr) return Undefined{};
  if (name == "length") return static_cast<double>(text->size());
  if (name == "lower") return lower(*text);
  if (name == "upper") return upper(*text);
  if (name == "substring") return substring(*text, arguments);
  const auto* other = arguments.size() > 1 ? std::get_if<std::string>(&arguments[1]) : nullptr;
  return other == nullptr ? Value(Undefined{}) : of_texts(name, *text, *other);
}

Value Asked::property(const std::string& name) const {
  const std::string* found = device_wire::find_property(message_.properties, name);
  return found == nullptr ? Value(Undefined{}) : Value(*found);
}

Value Asked::system(const std::string& name) const {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"messageid", "$.mid"},      {"correlationid", "$.cid"},  {"userid", "$.uid"},
      {"contenttype", "$.ct"},     {"contentencoding", "$.ce"}, {"to", "$.to"},
      {"creationtime", "$.ctime"}, {"interfaceid", "$.ifid"},   {"outputname", "$.on"}};
  const std::string key = lower(name);
  if (key == "connectiondeviceid") return message_.device;
  if (key == "connectionmoduleid")
    return message_.module.empty() ? Value(Undefined{}) : Value(message_.module);
  for (const auto& [known, wire] : kNames)
    if (known == key) return property(std::string(wire));
  return Undefined{};
}

Value Asked::body(const std::vector<std::variant<std::string, size_t>>& steps) {
  if (!parsed_) {
    parsed_ = true;
    const std::string* type = device_wire::find_property(message_.properties, "$.ct");
    const std::string* encoding = device_wire::find_property(message_.properties, "$.ce");
    // Nobody says what other bodies are.
    if (type != nullptr && encoding != nullptr && lower(*type) == "application/json" &&
        lower(*encoding) == "utf-8") {
      boost::system::error_code error;
      json::value value = json::parse(message_.body, error);
      if (!error) body_ = std::move(value);
    }
  }
  const json::value* at = body_ ? &*body_ : nullptr;
  for (const auto& step : steps) {
    if (at == nullptr) break;
    if (const auto* key = std::get_if<std::string>(&step))
      at = at->is_object() ? at->get_object().if_contains(*key) : nullptr;
    else
      at = at->is_array() ? at->get_array().if_contains(std::get<size_t>(step)) : nullptr;
  }
  return at == nullptr ? Value(Undefined{}) : from_json(*at);
}

Value Condition::Node::evaluate(Asked& asked) const {
  switch (kind) {
    case Kind::literal:
      return value;
    case Kind::property:
      return asked.property(name);
    case Kind::system:
      return asked.system(name);
    case Kind::body:
      return asked.body(steps);
    case Kind::unary: {
      const Value operand = children[0]->evaluate(asked);
      if (const bool* truth = std::get_if<bool>(&operand); truth != nullptr && name == "NOT")
        return !*truth;
      if (const double* number = std::get_if<double>(&operand); number != nullptr && name == "-")
        return -*number;
      return Undefined{};
    }
    case Kind::call: {
      std::vector<Value> arguments;
      for (const auto& child : children) arguments.push_back(child->evaluate(asked));
      return call_function(name, arguments);
    }
    case Kind::binary:
      break;
  }
  const Value left = children[0]->evaluate(asked);
  if (name == "??") return is_undefined(left) ? children[1]->evaluate(asked) : left;
  if (name == "AND" || name == "OR") {
    const bool decides = name == "OR";  // the value that decides alone
    const bool* a = std::get_if<bool>(&left);
    if (a != nullptr && *a == decides) return decides;
    const Value right = children[1]->evaluate(asked);
    const bool* b = std::get_if<bool>(&right);
    if (b != nullptr && *b == decides) return decides;
    return a != nullptr && b != nullptr ? Value(!decides) : Value(Undefined{});
  }
  const Value right = children[1]->evaluate(asked);
  if (name == "=" || name == "!=" || name[0] == '<' || name[0] == '>')
    return compare(name, left, right);
  return arithmetic(name, left, right);
}

}  // namespace holdfast::broker
