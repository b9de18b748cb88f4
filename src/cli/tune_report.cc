#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value_to.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

#include "cli/measure.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr double kWide = 860, kHigh = 400, kLeft = 80, kBottom = 52, kTop = 18, kRight = 24;
constexpr const char* kHead = R"(<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><style>
:root{--ink:#1c2430;--soft:#66707f;--line:#dfe3e8;--dot:#3b6ea5;--best:#c2410c;--back:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa4b2;--line:#333b46;--dot:#7fb0e6;--best:#fb923c;--back:#14181d}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:900px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem}p{margin:.3rem 0;color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right}
td:nth-child(2),th:nth-child(2),td:last-child,th:last-child{text-align:left}
tr.chosen td{font-weight:600;color:var(--best)}svg{width:100%;height:auto}
svg text{font:13px system-ui,sans-serif;fill:var(--ink)}svg .soft{fill:var(--soft)}svg .grid{stroke:var(--line)}
svg .dot{fill:var(--dot)}svg .best{fill:var(--best)}svg .span{stroke:var(--dot);stroke-width:1.5;opacity:.6}svg .best-span{stroke:var(--best);stroke-width:1.5;opacity:.7}
svg text.in{fill:var(--back);font-size:11px;font-weight:600}
</style>)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}
std::string text_of(const json::value& row, std::string_view field) {
  const json::value* value = row.as_object().if_contains(field);
  return value != nullptr && value->is_string() ? json::value_to<std::string>(*value) : "";
}
double number_of(const json::value& row, std::string_view field) {
  const json::value* value = row.as_object().if_contains(field);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}
bool is(const json::value& row, std::string_view field) {
  const json::value* value = row.as_object().if_contains(field);
  return value != nullptr && value->is_bool() && value->as_bool();
}
std::string px(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// 0 to a round number over `most`, in about five steps.
struct Axis {
  double step = 1, end = 1;
  explicit Axis(double most) {
    const double ten = std::pow(10, std::floor(std::log10(std::max(most, 1e-9))));
    const double part = most / ten;
    step = part > 5 ? 2 * ten : part > 2.5 ? ten : part > 1.25 ? ten / 2 : ten / 4;
    end = std::ceil(most * 1.08 / step) * step;
  }
};
double x_of(double value, const Axis& axis) {
  return kLeft + value / axis.end * (kWide - kLeft - kRight);
}
double y_of(double value, const Axis& axis) {
  return kHigh - kBottom - value / axis.end * (kHigh - kBottom - kTop);
}

std::string line(double x1, double y1, double x2, double y2, const char* kind) {
  return "<line class=\"" + std::string(kind) + "\" x1=\"" + px(x1) + "\" y1=\"" + px(y1) +
         "\" x2=\"" + px(x2) + "\" y2=\"" + px(y2) + "\"/>";
}
std::string label(double x, double y, const std::string& text, const char* anchor,
                  const char* kind) {
  return "<text class=\"" + std::string(kind) + "\" x=\"" + px(x) + "\" y=\"" + px(y) +
         "\" text-anchor=\"" + anchor + "\">" + escaped(text) + "</text>";
}
std::string frame(const Axis* x, const Axis& y, const std::string& below,
                  const std::string& above) {
  std::string out = "<svg viewBox=\"0 0 " + px(kWide) + " " + px(kHigh) + "\" role=\"img\">";
  for (double at = 0; at <= y.end * 1.0001; at += y.step) {
    out += line(kLeft, y_of(at, y), kWide - kRight, y_of(at, y), "grid");
    out += label(kLeft - 8, y_of(at, y) + 4, figure(at), "end", "soft");
  }
  for (double at = 0; x != nullptr && at <= x->end * 1.0001; at += x->step)
    out += label(x_of(at, *x), kHigh - kBottom + 20, figure(at), "middle", "soft");
  out += label((kLeft + kWide) / 2, kHigh - 8, below, "middle", "soft");
  out += "<text class=\"soft\" transform=\"translate(16 " + px(kHigh / 2) +
         ") rotate(-90)\" text-anchor=\"middle\">" + escaped(above) + "</text>";
  return out;
}

std::pair<double, double> span(const json::value& candidate, std::string_view field) {
  const auto of = json::value_to<std::vector<double>>(candidate.at("rounds").at(field));
  const auto [low, high] = std::ranges::minmax(of);
  return {low, high};
}

// The most of all rounds.
double most_of(const json::array& candidates, std::string_view field) {
  double most = 0;
  for (const json::value& row : candidates)
    if (row.as_object().contains("rounds")) most = std::max(most, span(row, field).second);
  return most;
}

// What latencies are told in.
struct Unit {
  double us = 1;
  const char* name = "µs";
};
Unit unit_of(const json::array& candidates) {
  return most_of(candidates, "p50_us") > 2000 ? Unit{1000, "ms"} : Unit{};
}

// One dot a candidate, its number in it; lines from the least to the most of the rounds.
std::string scatter(const json::array& candidates) {
  const auto [unit, name] = unit_of(candidates);
  const Axis x(most_of(candidates, "p50_us") / unit), y(most_of(candidates, "per_second"));
  std::string out = frame(&x, y, std::string("latency of one caller, median, ") + name,
                          "runs a second, all lanes busy");
  std::string dots;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const json::value& row = candidates[i];
    if (!row.as_object().contains("rounds")) continue;
    const bool best = is(row, "chosen");
    const double cx = x_of(number_of(row, "p50_us") / unit, x);
    const double cy = y_of(number_of(row, "per_second"), y);
    const auto [left, right] = span(row, "p50_us");
    const auto [low, high] = span(row, "per_second");
    const char* kind = best ? "best-span" : "span";
    out += line(x_of(left / unit, x), cy, x_of(right / unit, x), cy, kind);
    out += line(cx, y_of(low, y), cx, y_of(high, y), kind);
    std::string dot = "<circle class=\"" + std::string(best ? "best" : "dot") + "\" cx=\"" +
                      px(cx) + "\" cy=\"" + px(cy) + "\" r=\"" + (best ? "12" : "9") +
                      "\"><title>" + escaped(text_of(row, "candidate")) + "</title></circle>" +
                      label(cx, cy + 4, std::to_string(i + 1), "middle", "in");
    if (best) dot += label(cx, cy - 17, "chosen", "middle", "");
    dots += dot;
  }
  return out + dots + "</svg>";
}

std::string bars(const json::array& batches, uint64_t most_rows) {
  double most = 0;
  for (const json::value& row : batches) most = std::max(most, number_of(row, "rows_per_second"));
  const Axis y(most);
  std::string out = frame(nullptr, y, "rows in a run", "rows a second, all lanes busy");
  const double wide = (kWide - kLeft - kRight) / static_cast<double>(batches.size());
  for (size_t i = 0; i < batches.size(); ++i) {
    const double rate = number_of(batches[i], "rows_per_second"),
                 rows = number_of(batches[i], "rows");
    const double x = kLeft + wide * (static_cast<double>(i) + 0.2), top = y_of(rate, y);
    const bool allowed = most_rows == 0 || rows <= static_cast<double>(most_rows);
    out += "<rect class=\"" + std::string(allowed ? "best" : "dot") + "\" x=\"" + px(x) +
           "\" y=\"" + px(top) + "\" width=\"" + px(wide * 0.6) + "\" height=\"" +
           px(y_of(0, y) - top) + "\" rx=\"3\"/>";
    out += label(x + wide * 0.3, top - 6, figure(rate), "middle", "");
    out += label(x + wide * 0.3, kHigh - kBottom + 20, figure(rows), "middle", "soft");
  }
  return out + "</svg>";
}

std::string table(const json::array& candidates) {
  const auto [unit, name] = unit_of(candidates);
  std::string out = "<table><tr><th>#<th>candidate";
  for (const char* part : {"p50", "p99"}) out += "<th>" + std::string(part) + " " + name;
  out += "<th>runs/s<th>faster<th>more runs<th>";
  for (size_t i = 0; i < candidates.size(); ++i) {
    const json::value& row = candidates[i];
    out += is(row, "chosen") ? "<tr class=\"chosen\">" : "<tr>";
    out += "<td>" + std::to_string(i + 1) + "<td>" + escaped(text_of(row, "candidate"));
    for (const auto& [field, over] :
         {std::pair("p50_us", unit), {"p99_us", unit}, {"per_second", 1.0}})
      out +=
          "<td>" + (row.as_object().contains(field) ? figure(number_of(row, field) / over) : "–");
    for (const char* field : {"latency_ratio", "throughput_ratio"})
      out +=
          "<td>" + (row.as_object().contains(field) ? "× " + figure(number_of(row, field)) : "–");
    const std::string why = text_of(row, "why_not");
    out += "<td>" + std::string(is(row, "usual") ? "untuned" : "") +
           (is(row, "usual") && is(row, "chosen") ? ", " : "") +
           (is(row, "chosen") ? "chosen" : "") + escaped(why);
  }
  return out + "</table>";
}

// Without what only tells two of them apart.
std::string shown(std::string hardware) {
  for (const std::string_view none : {"; quota -1", "; quota max", "; quota none"})
    if (const size_t at = hardware.find(none); at != std::string::npos)
      hardware.erase(at, hardware.find(';', at + 1) - at);
  for (size_t at = 0; (at = hardware.find(" (", at)) != std::string::npos;) {
    const size_t end = hardware.find(" bytes)", at);
    if (end == std::string::npos) break;
    hardware.erase(at, end + 7 - at);
  }
  return hardware;
}

std::string eight_bits(const json::value& findings) {
  const json::value* made = findings.as_object().if_contains("quantized");
  if (made == nullptr) return "";
  return ", as " + figure(number_of(*made, "layers")) + " of " + figure(number_of(*made, "of")) +
         " layers do in 8 bits";
}

}  // namespace

std::string figure(double value) {
  char text[48];
  const double size = std::abs(value);
  const int digits = size >= 100 || value == std::floor(value) ? 0 : size >= 10 ? 1 : 2;
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string tune_report(const json::object& findings, const std::string& title) {
  const json::array& candidates = findings.at("candidates").as_array();
  const json::array& batches = findings.at("batches").as_array();
  const json::value all(findings);
  const bool kept = is(all, "kept");
  std::string out = kHead;
  out += "<title>" + escaped(title) + "</title><h1>Tuning of " + escaped(title) + "</h1>";
  out += "<p>" + escaped(shown(text_of(all, "hardware"))) + "</p><p>" +
         escaped(text_of(all, "digest")) + "</p>";
  out += "<p>Measured on " + figure(number_of(all, "samples")) +
         (is(all, "generated")
              ? " requests made up from the model's shapes; lower precision is not tried without "
                "real ones"
              : " given requests; lower precision must answer them alike" + eight_bits(all)) +
         ". Candidates take turns; lines show the least and the most of the rounds, ratios are "
         "medians "
         "of the rounds' own. What else ran on this machine is in these figures.</p>";
  out += "<p>" +
         std::string(kept ? "Nothing was better than the untuned settings by more than the "
                            "noise: they stay."
                          : "The chosen settings are better than the untuned ones by more "
                            "than the noise, in every round but one at most.") +
         "</p>";
  out += "<h2>Latency and throughput</h2>" + scatter(candidates) + table(candidates);
  if (!batches.empty())
    out +=
        "<h2>Requests merged into one run</h2><p>Larger runs than the coloured ones are not "
        "made.</p>" +
        bars(batches, static_cast<uint64_t>(number_of(all, "most_rows")));
  return out + "</html>\n";
}

}  // namespace holdfast::cli
