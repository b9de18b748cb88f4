#include "inference/stages.h"

#include <cstdio>

namespace holdfast::inference {

Stages stages_until_now(const RunReport& report, MonoTime start) {
  const MonoTime now = std::chrono::steady_clock::now();
  const Timing& run = report.timing;
  const int64_t output = (now - report.begun).count() - run.queue - run.input - run.infer;
  const auto us = [](int64_t ns) { return ns / 1000; };
  return {{{"receive", us((report.begun - start).count())},
           {"queue", us(run.queue)},
           {"input", us(run.input)},
           {"infer", us(run.infer)},
           {"output", us(output)},
           {"total", us((now - start).count())}}};
}

std::string server_timing(const Stages& stages) {
  std::string out;
  for (const auto& [name, us] : stages) {
    char number[32];
    std::snprintf(number, sizeof number, ";dur=%.3f", static_cast<double>(us) / 1000);
    if (!out.empty()) out += ", ";
    (out += name) += number;
  }
  return out;
}

}  // namespace holdfast::inference
