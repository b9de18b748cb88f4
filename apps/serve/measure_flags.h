// What a call of `holdfast-serve measure` says after its verb.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "inference/measure/samples.h"
#include "inference/measure/tuning.h"

namespace holdfast {

using Flags = std::map<std::string, std::string, std::less<>>;

std::string flag(const Flags& flags, std::string_view name, std::string_view otherwise = "");
// invalid_argument "usage", naming the flag, here and below.
Result<uint64_t> number(const Flags& flags, std::string_view name, uint64_t otherwise);
Result<double> fraction(const Flags& flags, std::string_view name, double otherwise);  // 0 to 1
Result<inference::SampleOptions> sample_options(const Flags& flags);
// The server's own settings.
Result<inference::Tuning> usual_of(const Flags& flags);

}  // namespace holdfast
