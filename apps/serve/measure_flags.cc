#include "measure_flags.h"

#include <charconv>

#include "base/bytes.h"

namespace holdfast {

using inference::SampleOptions;
using inference::Tuning;

std::string flag(const Flags& flags, std::string_view name, std::string_view otherwise) {
  const auto found = flags.find(name);
  return found == flags.end() ? std::string(otherwise) : found->second;
}

Result<uint64_t> number(const Flags& flags, std::string_view name, uint64_t otherwise) {
  const auto found = flags.find(name);
  if (found == flags.end()) return otherwise;
  const auto value = parse_u64(found->second);
  if (!value)
    return fail(Code::invalid_argument, "usage",
                "--" + std::string(name) + ": '" + found->second + "' is not a number");
  return *value;
}

Result<double> fraction(const Flags& flags, std::string_view name, double otherwise) {
  const auto found = flags.find(name);
  if (found == flags.end()) return otherwise;
  double value = 0;
  const char* end = found->second.data() + found->second.size();
  const auto read = std::from_chars(found->second.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !(value >= 0 && value <= 1))
    return fail(Code::invalid_argument, "usage",
                "--" + std::string(name) + ": '" + found->second + "' is not between 0 and 1");
  return value;
}

// "x=1,3,224,224;y=1,4"
Result<SampleOptions> sample_options(const Flags& flags) {
  SampleOptions out{.path = flag(flags, "samples")};
  TRY(out.seed, number(flags, "seed", out.seed));
  const std::string shapes = flag(flags, "shape");
  for (const std::string_view part : split(shapes, ';')) {
    if (part.empty()) continue;
    const size_t at = part.find('=');
    std::vector<int64_t> sizes;
    for (const std::string_view size :
         split(at == std::string_view::npos ? "" : part.substr(at + 1), ',')) {
      const auto value = parse_u64(size);
      if (!value || *value == 0 || *value > INT32_MAX)
        return fail(Code::invalid_argument, "usage",
                    "--shape: '" + std::string(part) + "' is not as x=1,3,224,224");
      sizes.push_back(static_cast<int64_t>(*value));
    }
    out.shapes[std::string(part.substr(0, at))] = std::move(sizes);
  }
  return out;
}

Result<Tuning> usual_of(const Flags& flags) {
  Tuning out;
  out.engine = flag(flags, "engine", out.engine);
  TRY(const uint64_t threads, number(flags, "threads", 1));
  TRY(const uint64_t lanes, number(flags, "lanes", 0));
  out.threads = static_cast<int>(threads);
  out.lanes = static_cast<unsigned>(lanes);
  return out;
}

}  // namespace holdfast
