#include "inference/measure/tuning.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <cstdio>
#include <filesystem>

#include "base/bytes.h"
#include "base/cores.h"
#include "base/files.h"
#include "base/log.h"
#include "inference/devices/devices.h"
#include "inference/onnxruntime/onnxruntime_engine.h"
#include "inference/openvino/openvino_engine.h"
#include "inference/warm_up.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kQuantized = ".int8.onnx";
constexpr uint64_t kLargestModel = INT32_MAX;  // of protobuf, which wrote it

std::string processor() {
  const auto text = read_file("/proc/cpuinfo");
  for (const std::string_view line : split(text ? *text : "", '\n')) {
    if (line.starts_with("model name") && line.find(':') != std::string_view::npos)
      return std::string(trim(line.substr(line.find(':') + 1)));
  }
  return "unknown processor";
}

// The control group's share of processors, both generations.
std::string quota() {
  if (const auto text = read_file("/sys/fs/cgroup/cpu.max", 256))
    return std::string(trim(split(*text, '\n').front()));
  if (const auto text = read_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", 256))
    return std::string(trim(split(*text, '\n').front()));
  return "none";
}

// Its name, which has the version in it, and its size.
std::string file_of(const std::string& library) {
  std::error_code error;
  const fs::path real = fs::canonical(library, error);
  if (error) return "none";
  return real.filename().string() + " (" + std::to_string(fs::file_size(real, error)) + " bytes)";
}

std::string count(int64_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

Result<TuningStore::Known> parse(const std::string& text, const std::string& on,
                                 bool& of_this_hardware) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::invalid_argument, "it is not JSON");
  try {
    const json::object& object = value.as_object();
    of_this_hardware = object.at("hardware").as_string() == on;
    if (object.at("choice").is_null()) return TuningStore::Known{};
    const json::object& choice = object.at("choice").as_object();
    Tuning out;
    out.engine = json::value_to<std::string>(choice.at("engine"));
    out.precision = json::value_to<std::string>(choice.at("precision"));
    if (const json::value* device = choice.if_contains("device"))
      out.device = json::value_to<std::string>(*device);
    out.threads = json::value_to<int>(choice.at("threads"));
    out.lanes = json::value_to<unsigned>(choice.at("lanes"));
    out.rows = json::value_to<uint64_t>(choice.at("rows"));
    if (out.threads < 1 || out.threads > 1024 || out.lanes > 1024)
      return fail(Code::invalid_argument, "its numbers cannot be");
    TuningStore::Known known{out};
    if (out.in_8_bits()) known.quantized = choice.at("quantized").as_string();
    return known;
  } catch (const std::exception& e) {
    return fail(Code::invalid_argument, e.what());
  }
}

}  // namespace

std::string describe(const Tuning& tuning) {
  std::string out = tuning.engine;
  if (tuning.precision != "f32") out += " " + tuning.precision;
  if (tuning.device != "cpu") out += " on " + tuning.device;
  out += ", " + count(tuning.threads, "thread");
  if (tuning.lanes > 0) out += " × " + count(tuning.lanes, "lane");
  return out;
}

std::string hardware() {
  std::string devices;
  for (const Accelerator& found : accelerators()) devices += found.name + "; ";
  return processor() + "; " + devices + count(usable_cores(), "core") + "; quota " + quota() +
         "; " + file_of(onnxruntime_library()) + "; " + file_of(openvino_libraries());
}

TuningStore::TuningStore(std::string directory, std::string on)
    : directory_(std::move(directory)), hardware_(std::move(on)) {}

std::string TuningStore::path_of(const std::string& digest, std::string_view ending) const {
  const size_t colon = digest.find(':');
  return directory_ + "/" + digest.substr(colon == std::string::npos ? 0 : colon + 1) +
         std::string(ending);
}

std::optional<TuningStore::Known> TuningStore::read(const std::string& digest) const {
  if (directory_.empty()) return std::nullopt;
  const auto text = read_file(path_of(digest), 1 << 20);
  if (!text) return std::nullopt;
  bool here = false;
  auto known = parse(*text, hardware_, here);
  if (!known) {
    log::warning("inference", "a tuning cannot be read",
                 {{"digest", digest}, {"error", known.error().message()}});
    return std::nullopt;
  }
  if (!here) {
    log::info("inference", "a tuning was measured on other hardware and is not used",
              {{"digest", digest}});
    return std::nullopt;
  }
  return *known;
}

Result<void> TuningStore::write(const std::string& digest, const Known& known,
                                const std::string& findings, const std::string& quantized) const {
  TRY_VOID(make_directories(directory_));
  std::string digest_of_file;
  if (known.tuning && known.tuning->in_8_bits()) {
    TRY(const std::string bytes, read_file(quantized, kLargestModel));
    TRY_VOID(replace_file(path_of(digest, kQuantized), as_bytes(bytes)));
    TRY(digest_of_file, digest_of(quantized));
  }
  json::object out;
  out["digest"] = digest;
  out["hardware"] = hardware_;
  out["choice"] = nullptr;
  if (known.tuning) {
    json::object choice;
    choice["engine"] = known.tuning->engine;
    choice["precision"] = known.tuning->precision;
    choice["device"] = known.tuning->device;
    choice["threads"] = known.tuning->threads;
    choice["lanes"] = known.tuning->lanes;
    choice["rows"] = known.tuning->rows;
    if (!digest_of_file.empty()) choice["quantized"] = digest_of_file;
    out["choice"] = std::move(choice);
  }
  boost::system::error_code error;
  out["findings"] = json::parse(findings, error);
  TRY_VOID(replace_file(path_of(digest), as_bytes(json::serialize(out) + "\n")));
  if (digest_of_file.empty()) std::remove(path_of(digest, kQuantized).c_str());
  return {};
}

Result<std::string> TuningStore::file_for(const std::string& digest, const Known& known,
                                          const std::string& path) const {
  if (!known.tuning || !known.tuning->in_8_bits()) return path;
  std::string file = path_of(digest, kQuantized);
  TRY(const std::string found, digest_of(file));
  if (found != known.quantized)
    return fail(Code::invalid_argument, "the model in 8 bits is not the one that was measured");
  return file;
}

void TuningStore::forget(const std::string& digest) const {
  if (directory_.empty()) return;
  if (std::remove(path_of(digest, kQuantized).c_str()) == 0) std::remove(path_of(digest).c_str());
}

}  // namespace holdfast::inference
