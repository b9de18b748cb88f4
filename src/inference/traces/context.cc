#include "inference/traces/context.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace holdfast::inference {
namespace {

constexpr size_t kParent = 55;  // 00-<32>-<16>-<2>
constexpr size_t kMostState = 512, kMostMembers = 32;

// Lower case alone, as the form of a traceparent is.
int digit(char sign) {
  if (sign >= '0' && sign <= '9') return sign - '0';
  if (sign >= 'a' && sign <= 'f') return sign - 'a' + 10;
  return -1;
}

bool fill(std::span<uint8_t> into, std::string_view text) {
  for (size_t i = 0; i < into.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    into[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

bool is_zero(std::span<const uint8_t> id) {
  return std::ranges::all_of(id, [](uint8_t byte) { return byte == 0; });
}

// A list of at most 32 KEY=VALUE, in printable ASCII: what cannot break a header or JSON.
bool is_state(std::string_view state) {
  if (state.size() > kMostState) return false;
  if (std::ranges::any_of(state, [](char c) { return (c < ' ' && c != '\t') || c > '~'; }))
    return false;
  size_t members = 0;
  for (const std::string_view part : split(state, ',')) {
    const std::string_view member = trim(part);
    if (member.empty()) continue;
    const size_t at = member.find('=');
    if (at == 0 || at == std::string_view::npos || ++members > kMostMembers) return false;
  }
  return true;
}

std::mt19937_64& generator() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return random;
}

template <class Id>
Id random_id() {
  Id id{};
  do {
    for (size_t at = 0; at < id.size(); at += sizeof(uint64_t)) {
      const uint64_t part = generator()();
      std::memcpy(id.data() + at, &part, sizeof part);
    }
  } while (is_zero(id));
  return id;
}

}  // namespace

std::optional<TraceContext> read_trace_context(std::string_view parent, std::string_view state) {
  parent = trim(parent);
  if (parent.size() < kParent || parent[2] != '-' || parent[35] != '-' || parent[52] != '-')
    return std::nullopt;
  std::array<uint8_t, 1> version{}, flags{};
  TraceContext context;
  if (!fill(version, parent.substr(0, 2)) || !fill(context.trace, parent.substr(3, 32)) ||
      !fill(context.span, parent.substr(36, 16)) || !fill(flags, parent.substr(53, 2)))
    return std::nullopt;
  const bool whole = parent.size() == kParent;
  if (version[0] == 0xff || (version[0] == 0 && !whole) || (!whole && parent[kParent] != '-'))
    return std::nullopt;
  if (is_zero(context.trace) || is_zero(context.span)) return std::nullopt;
  context.flags = flags[0] & 3;
  if (is_state(state)) context.state = std::string(trim(state));
  return context;
}

TraceId new_trace_id() {
  return random_id<TraceId>();
}
SpanId new_span_id() {
  return random_id<SpanId>();
}

uint64_t low_half(const TraceId& id) {
  uint64_t out = 0;
  for (size_t i = 8; i < id.size(); ++i) out = out << 8 | id[i];
  return out;
}

}  // namespace holdfast::inference
