// What /metrics says of drift.
#include <charconv>
#include <functional>

#include "inference/drift/monitor.h"

namespace holdfast::inference {
namespace {

std::string number(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// As the value of a label.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char sign : text) {
    if (sign == '"' || sign == '\\') out += '\\';
    (sign == '\n') ? out += "\\n" : out += sign;
  }
  return out;
}

}  // namespace

std::string DriftMonitor::metrics() const {
  std::string out;
  const auto begin = [&out](const char* name, const char* type, const char* help) {
    const std::string full = std::string("holdfast_drift_") + name;
    out += "# HELP " + full + " " + help + "\n# TYPE " + full + " " + type + "\n";
    return full;
  };
  const auto total = [&](const char* name, const char* help, uint64_t value) {
    out += begin(name, "counter", help) + " " + std::to_string(value) + "\n";
  };
  total("rows_total", "Rows compared with the profile of their model", rows_);
  total("dropped_total", "Requests of the sample that were not: no room in memory",
        requests_.dropped() + unwatched_);
  total("events_total", "Events that a model begins to drift", raised_);
  const std::lock_guard lock(watches_mutex_);
  using Sample = std::function<void(const std::string& labels, double value)>;
  const auto family = [&](const char* name, const char* type, const char* help,
                          const auto& samples) {
    const std::string full = begin(name, type, help);
    for (const auto& [subject, watch] : watches_) {
      const std::string of =
          "{model=\"" + subject.model + "\",version=\"" + std::to_string(subject.version) + "\"";
      const Sample sample = [&](const std::string& labels, double value) {
        out += full + of + labels + "} " + number(value) + "\n";
      };
      samples(subject, watch.status, sample);
    }
  };
  const auto features = [](auto value) {
    return [value](const DriftSubject&, const DriftStatus& status, const Sample& sample) {
      if (!status.last) return;
      for (const DriftReport::Feature& one : status.last->features)
        sample(",feature=\"" + quoted(one.name) + "\"", value(one));
    };
  };
  family("drifting", "gauge", "1 from the window that raised an event until one is calm",
         [this](const DriftSubject& subject, const DriftStatus&, const Sample& sample) {
           sample("", events_.drifting(subject) ? 1 : 0);
         });
  family("windows_total", "counter", "Windows of rows that were compared",
         [](const DriftSubject&, const DriftStatus& status, const Sample& sample) {
           sample("", static_cast<double>(status.windows));
         });
  family("psi", "gauge", "Population stability index of the last window",
         features([](const DriftReport::Feature& one) { return one.psi.value; }));
  family("ks", "gauge", "Kolmogorov-Smirnov distance of the last window",
         features([](const DriftReport::Feature& one) { return one.ks.value; }));
  family("class_distance", "gauge", "Jensen-Shannon distance of the last window's class mix",
         [](const DriftSubject&, const DriftStatus& status, const Sample& sample) {
           if (!status.last) return;
           for (const DriftReport::Classes& one : status.last->classes)
             sample(",output=\"" + quoted(one.name) + "\"", one.distance.value);
         });
  return out;
}

}  // namespace holdfast::inference
