// The tree of a condition, and its evaluation. For broker/condition*.cc alone.
#pragma once

#include <boost/json/value.hpp>

#include <compare>

#include <optional>
#include <variant>
#include <vector>

#include "broker/condition.h"

namespace holdfast::broker {

struct Undefined {
  auto operator<=>(const Undefined&) const = default;
};
struct Null {
  auto operator<=>(const Null&) const = default;
};
// A structure of the body: it is defined, and nothing else can be asked of it.
struct Structure {
  auto operator<=>(const Structure&) const = default;
};
using Value = std::variant<Undefined, Null, bool, double, std::string, Structure>;

// One message while it is asked; its body is parsed when it is first needed.
class Asked {
 public:
  explicit Asked(const Message& message) : message_(message) {}
  Value property(const std::string& name) const;
  Value system(const std::string& name) const;
  // Steps are keys, or indexes where they are numbers in brackets.
  Value body(const std::vector<std::variant<std::string, size_t>>& steps);

 private:
  const Message& message_;
  bool parsed_ = false;
  std::optional<boost::json::value> body_;
};

struct Condition::Node {
  enum class Kind { literal, property, system, body, unary, binary, call } kind = Kind::literal;
  Value value;       // of a literal
  std::string name;  // of a property, operator or function; operators in upper case
  std::vector<std::variant<std::string, size_t>> steps;
  std::vector<std::shared_ptr<const Node>> children;

  Value evaluate(Asked& asked) const;
};

// How many arguments a function takes; nullopt: there is no such function. `name` in lower case.
struct Arity {
  size_t least = 0, most = 0;
};
std::optional<Arity> arity_of(std::string_view name);
Value call_function(const std::string& name, const std::vector<Value>& arguments);

}  // namespace holdfast::broker
