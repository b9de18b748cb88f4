// The trace that a request belongs to, as its caller tells: W3C Trace Context
// (https://www.w3.org/TR/trace-context/, level 2), headers `traceparent` and `tracestate`. Plain
// functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::inference {

using TraceId = std::array<uint8_t, 16>;  // as on the wire, first byte first
using SpanId = std::array<uint8_t, 8>;

struct TraceContext {
  TraceId trace{};
  SpanId span{};      // the caller's
  uint8_t flags = 0;  // bit 0: the caller records it; bit 1: the trace's id is random
  std::string state;  // of vendors; passed on as it came
  bool sampled() const { return (flags & 1) != 0; }
};

// nullopt: there is none, or it is broken, so that a trace begins here. A `state` that is broken
// is left out. Of versions after 00 what 00 has is taken.
std::optional<TraceContext> read_trace_context(std::string_view parent, std::string_view state);

// New and random, never all zeros.
TraceId new_trace_id();
SpanId new_span_id();

// The number that a sampler compares, from the part of an id that is random.
uint64_t low_half(const TraceId& id);

}  // namespace holdfast::inference
