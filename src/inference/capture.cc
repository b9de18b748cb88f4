#include "inference/capture.h"

#include <algorithm>

#include "base/digest.h"
#include "base/log.h"

namespace holdfast::inference {
namespace {

Tensor copy_of(const TensorView& view) {
  Tensor tensor{.name = std::string(view.name), .type = view.type, .shape = view.shape};
  tensor.data.assign(view.data.begin(), view.data.end());
  tensor.texts.assign(view.texts.begin(), view.texts.end());
  return tensor;
}

TensorView view_of(const Tensor& tensor) {
  TensorView view{.name = tensor.name,
                  .type = tensor.type,
                  .shape = tensor.shape,
                  .data = ByteView(tensor.data)};
  view.texts.assign(tensor.texts.begin(), tensor.texts.end());
  return view;
}

template <class Tensor>
uint64_t bytes_of(const Tensor& tensor) {
  uint64_t bytes = tensor.data.size();
  for (const auto& text : tensor.texts) bytes += text.size() + 4;
  return bytes;
}

// Of the memory that a request takes.
uint64_t weigh(const std::vector<Captured>& request) {
  uint64_t bytes = 0;
  for (const Captured& line : request)
    for (const Tensor& tensor : line.tensors) bytes += bytes_of(tensor) + 512;
  return bytes;
}

// Adds the tensor, or its summary where it is over `most`.
void add(Captured& line, const TensorView& view, uint64_t most) {
  const bool whole = bytes_of(view) <= most;
  line.summaries.push_back(whole ? "" : summary_of(view));
  line.tensors.push_back(
      whole ? copy_of(view)
            : Tensor{.name = std::string(view.name), .type = view.type, .shape = view.shape});
}

}  // namespace

Result<std::unique_ptr<Capture>> Capture::open(CaptureOptions options, const Clock& clock) {
  TRY(LineFile file, LineFile::open(options.directory, "capture", "capture", clock));
  return std::unique_ptr<Capture>(new Capture(std::move(options), clock, std::move(file)));
}

Capture::Capture(CaptureOptions options, const Clock& clock, LineFile file)
    : options_(std::move(options)),
      clock_(clock),
      file_(std::move(file)),
      requests_({.weigh = weigh,
                 .most = options_.memory,
                 .every = std::min(options_.after, std::chrono::milliseconds(1000))},
                [this] { run(); }) {
  requests_.start();  // an earlier life may have left a file
}

bool Capture::wanted(const Loaded& loaded) const {
  if (!options_.models.empty() &&
      std::ranges::find(options_.models, loaded.name) == options_.models.end())
    return false;
  // By chance: every n-th would always be the same camera's where cameras take turns.
  thread_local std::minstd_rand draw(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 100)(draw) < options_.share;
}

void Capture::answered(const Loaded& loaded, const Inputs& inputs, const Outputs& outputs,
                       const RunOptions& options) noexcept {
  if (!wanted(loaded)) return;
  requests_.offer([&] {
    Captured line{.model = loaded.name,
                  .digest = loaded.digest,
                  .run = loaded.run,
                  .time = format_rfc3339(clock_.now(), 6),
                  .agent = options_.agent,
                  .request_id = std::string(options.id),
                  .version = loaded.version};
    line.correlation = random_uuid();
    Request request(2, line);
    request[0].input = true;
    for (const TensorView& input : inputs) add(request[0], input, options_.tensor);
    for (const Tensor& output : outputs) add(request[1], view_of(output), options_.tensor);
    return request;
  });
}

void Capture::run() {
  while (auto taken = requests_.take()) {
    write(std::move(*taken));
    close_where_due(false);
  }
  close_where_due(true);
}

void Capture::write(std::vector<Request> requests) {
  for (auto next = requests.begin(); next != requests.end();) {
    std::vector<std::string> lines, ids;
    const auto first = next;
    for (;
         next != requests.end() && (lines.empty() || file_.lines() + lines.size() < options_.lines);
         ++next) {
      for (Captured& line : *next) {
        line.id = random_uuid();
        lines.push_back(line_of(line));
        ids.push_back(line.id);
      }
    }
    const auto count = static_cast<uint64_t>(next - first);
    const Result<void> done = disk_full()
                                  ? fail(Code::unavailable, "the directory is as full as it may be")
                                  : file_.append(lines, ids);
    (done ? written_ : no_disk_) += count;
    if (!done && !failing_)
      log::warning("capture", "requests are not captured", {{"error", done.error().message()}});
    failing_ = !done;
    close_where_due(false);
  }
}

void Capture::close_where_due(bool ending) {
  const bool due = file_.has_leftovers() ||
                   (file_.is_open() && (ending || file_.lines() >= options_.lines ||
                                        clock_.now() - file_.opened() >= options_.after));
  if (!due) return;
  if (const auto closed = file_.close(); !closed)
    log::warning("capture", "a file cannot be closed", {{"error", closed.error().message()}});
}

bool Capture::disk_full() const {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("capture-") && !name.starts_with(".capture-")) continue;
    const auto size = entry.file_size(error);  // it may be gone meanwhile
    if (!error) bytes += size;
  }
  return bytes >= options_.disk;
}

std::string Capture::metrics() const {
  const auto family = [](const std::string& name, const char* help, uint64_t value) {
    return "# HELP " + name + " " + help + "\n# TYPE " + name + " counter\n" + name + " " +
           std::to_string(value) + "\n";
  };
  return family("holdfast_inference_captured_total", "Requests written to files of the capture",
                written_) +
         family("holdfast_inference_capture_dropped_total",
                "Requests of the sample that were not: no room in memory or on disk",
                requests_.dropped() + no_disk_);
}

}  // namespace holdfast::inference
