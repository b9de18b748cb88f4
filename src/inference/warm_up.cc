#include "inference/warm_up.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/digest.h"
#include "base/files.h"
#include "base/log.h"
#include "inference/batch.h"

namespace holdfast::inference {
namespace {

constexpr int kWarmRuns = 20;
constexpr uint64_t kMostZeros = 256 << 20;  // bytes
constexpr int64_t kSlow = 100'000'000;      // ns; one such run says enough
constexpr int64_t kLong = 50'000'000;       // ns; after that much, one that counts does

}  // namespace

Result<std::string> digest_of(const std::string& path) {
  TRY(const Fd fd, open_file(path, O_RDONLY));
  Hasher hasher(HashKind::sha256);
  std::vector<std::byte> piece(1 << 20);
  for (;;) {
    const ssize_t size = ::read(fd.get(), piece.data(), piece.size());
    if (size < 0) return std::unexpected(errno_error(errno, path));
    if (size == 0) return "sha256:" + hex(as_bytes(hasher.finish()));
    hasher.update(ByteView(piece.data(), static_cast<size_t>(size)));
  }
}

std::optional<Error> warm_up(Loaded& loaded) {
  loaded.p99_ns = kUnknownTime;
  uint64_t most = kMostZeros;
  std::vector<Bytes> zeros;
  std::vector<TensorView> inputs;
  for (const TensorInfo& info : loaded.model->signature().inputs) {
    TensorView view;
    view.name = info.name;
    view.type = info.type;
    for (int64_t size : info.shape) view.shape.push_back(size < 0 ? 1 : size);
    const auto count = element_count(view.shape);
    const uint64_t each = std::max(size_of(info.type), sizeof(std::string_view));
    if (!count || *count > most / each) {
      log::info("inference", "too large to warm up", {{"model", loaded.name}});
      return std::nullopt;
    }
    most -= *count * each;
    zeros.emplace_back(*count * size_of(info.type));
    view.texts.assign(info.type == Datatype::bytes ? *count : 0, "");
    inputs.push_back(std::move(view));
  }
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i].data = zeros[i];
  std::vector<int64_t> times;
  int64_t spent = 0;
  for (int i = 0; i < kWarmRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (auto ran = loaded.model->run(inputs, {}); !ran) {
      log::info("inference", "the warm-up run was refused",
                {{"model", loaded.name}, {"error", ran.error().message()}});
      return std::move(ran).error();
    }
    const int64_t took = (std::chrono::steady_clock::now() - start).count();
    const bool slow = took > kSlow;
    if (i > 0 || slow) times.push_back(took);  // a quick one's first run is mostly allocation
    spent += took;
    if (slow || (spent > kLong && !times.empty())) break;
  }
  loaded.takes_zeros = true;
  std::sort(times.begin(), times.end());
  loaded.p99_ns = times[times.size() * 9 / 10];
  loaded.queue.curve.learn(rows_of(inputs), times[times.size() / 2]);
  return std::nullopt;
}

}  // namespace holdfast::inference
