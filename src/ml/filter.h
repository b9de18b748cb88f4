// MLflow's filter and order_by grammar, as plain data. A filter is `identifier operator value`,
// joined by AND. Pure functions; all failures are invalid_argument with the place in the text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::ml {

enum class Field { attribute, metric, param, tag, dataset };
enum class Op { eq, ne, lt, le, gt, ge, like, ilike, in, not_in, is_null, is_not_null };

struct Attribute {
  std::string_view name;                           // as clients write it
  std::string_view column;                         // of the statement
  enum Kind { text, number, status } kind = text;  // status: a run's, kept as its number
  bool list = false;                               // may be compared with IN
  bool filter = true, order = true;
};

// What one list of things can be searched by.
struct Grammar {
  std::string_view things;  // "runs", for errors
  std::span<const Attribute> attributes;
  bool metrics = false, params = false, datasets = false;
  bool nulls = false;  // IS NULL
};

struct Clause {
  Field field = Field::attribute;
  Op op = Op::eq;
  const Attribute* attribute = nullptr;  // of a Field::attribute
  std::string key;                       // of the others
  std::vector<std::string> texts;        // one, or those of the list
  double number = 0;
};
Result<std::vector<Clause>> parse_filter(std::string_view text, const Grammar& grammar);

struct Order {
  Field field = Field::attribute;
  const Attribute* attribute = nullptr;
  std::string key;
  bool descending = false;
};
// Each item is `identifier`, with ASC or DESC behind it or not.
Result<std::vector<Order>> parse_order(const std::vector<std::string>& items,
                                       const Grammar& grammar);

}  // namespace holdfast::ml
