#include "inference/traces/context.h"

#include <gtest/gtest.h>

#include <set>

#include "base/bytes.h"

namespace holdfast::inference {
namespace {

// The example of the recommendation.
constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, IsReadAsTheRecommendationHasIt) {
  const auto context = read_trace_context(kParent, " congo=t61rcWkgMzE,rojo=00f067aa0ba902b7 ");
  ASSERT_TRUE(context);
  EXPECT_EQ(hex(std::as_bytes(std::span(context->trace))), kParent.substr(3, 32));
  EXPECT_EQ(hex(std::as_bytes(std::span(context->span))), kParent.substr(36, 16));
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(context->state, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
  EXPECT_EQ(low_half(context->trace), 0xa3ce929d0e0e4736U);
}

TEST(TraceContext, TheCallerDecidesByItsLastFlag) {
  const std::string ids(kParent.substr(0, 53));
  for (const auto& [flags, sampled] :
       {std::pair("00", false), {"01", true}, {"02", false}, {"03", true}, {"ff", true}})
    EXPECT_EQ(read_trace_context(ids + flags, "")->sampled(), sampled) << flags;
  EXPECT_EQ(read_trace_context(ids + "ff", "")->flags, 3) << "no more of them have a meaning";
  EXPECT_TRUE(read_trace_context(" " + ids + "01\t", "")) << "as a header's value may be";
}

TEST(TraceContext, ALaterVersionMayHaveMore) {
  const std::string later = "cc" + std::string(kParent.substr(2));
  EXPECT_TRUE(read_trace_context(later, ""));
  EXPECT_TRUE(read_trace_context(later + "-what-the-future-holds", ""));
  EXPECT_FALSE(read_trace_context(later + ".what", ""));
  EXPECT_FALSE(read_trace_context(std::string(kParent) + "-more", "")) << "00 has no more";
}

TEST(TraceContext, WhatIsBrokenIsNone) {
  const std::string good(kParent);
  for (const std::string& broken :
       {std::string(), std::string("00"), good.substr(1), good + "," + good,
        "ff" + good.substr(2),                                    // no version
        "00-4BF92F3577b34da6a3ce929d0e0e4736" + good.substr(35),  // upper case
        "00-00000000000000000000000000000000" + good.substr(35),
        good.substr(0, 36) + "0000000000000000" + good.substr(52), good.substr(0, 54) + "x",
        "00_" + good.substr(3), std::string(55, '-'),
        good.substr(0, 40) + std::string(1, '\0') + good.substr(41)})
    EXPECT_FALSE(read_trace_context(broken, "a=b")) << broken;
}

TEST(TraceContext, ABrokenStateIsLeftOutAlone) {
  std::string many;
  for (int i = 0; i < 33; ++i) many += (i > 0 ? "," : "") + std::to_string(i) + "=x";
  for (const std::string& broken :
       {std::string("novalue"), std::string("=x"), std::string("a=b\r\nX: y"),
        std::string("a=\"\x7f"), "a=" + std::string(600, 'x'), many}) {
    const auto context = read_trace_context(kParent, broken);
    ASSERT_TRUE(context);
    EXPECT_EQ(context->state, "") << broken;
  }
  EXPECT_EQ(read_trace_context(kParent, "a=b, ,c=d")->state, "a=b, ,c=d") << "empty members may be";
}

TEST(TraceContext, NewIdsDiffer) {
  std::set<TraceId> traces;
  std::set<SpanId> spans;
  for (int i = 0; i < 1000; ++i) {
    traces.insert(new_trace_id());
    spans.insert(new_span_id());
  }
  EXPECT_EQ(traces.size(), 1000U);
  EXPECT_EQ(spans.size(), 1000U);
}

}  // namespace
}  // namespace holdfast::inference
