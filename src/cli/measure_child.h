// `holdfast-serve measure …`: the process that loads a model with the server's own libraries.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::cli {

struct Measured {
  boost::json::object result;
  int status = 0;  // the child's: 0, or 1 where verify found a difference
};
// Blocking. `progress` gets 0 to 1 and with what it is busy. not_found, "usage" and internal as the
// child says; internal with the signal's number where it crashed.
Result<Measured> run_measure(std::vector<std::string> words,
                             const std::function<void(double, const std::string&)>& progress);

}  // namespace holdfast::cli
