// The condition of a route (WHERE …): parsed once, then asked for each message. Any thread.
// Source: Azure/iotedge, Condition.g4 and its evaluation; "IoT Hub message routing query syntax".
//
// Three values as there: true, false, undefined (a property that is not there, types that do not
// fit); only true lets a message pass.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/message.h"

namespace holdfast::broker {

class Condition {
 public:
  // invalid_argument with the column (from 1) of what is wrong. Nested at most 100 deep.
  static Result<Condition> parse(std::string_view text);
  bool holds(const Message& message) const;

  struct Node;

 private:
  explicit Condition(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace holdfast::broker
