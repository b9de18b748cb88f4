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

uint64_t bytes_of(const TensorView& view) {
  uint64_t bytes = view.data.size();
  for (const std::string_view text : view.texts) bytes += text.size() + 4;
  return bytes;
}

// Adds the tensor, or its summary where it is over `most`; what it takes of memory.
uint64_t add(Captured& line, const TensorView& view, uint64_t most) {
  const uint64_t bytes = bytes_of(view);
  const bool whole = bytes <= most;
  line.summaries.push_back(whole ? "" : summary_of(view));
  line.tensors.push_back(
      whole ? copy_of(view)
            : Tensor{.name = std::string(view.name), .type = view.type, .shape = view.shape});
  return (whole ? bytes : 0) + 512;
}

}  // namespace

Result<std::unique_ptr<Capture>> Capture::open(CaptureOptions options, const Clock& clock) {
  TRY(LineFile file, LineFile::open(options.directory, "capture", "capture", clock));
  return std::unique_ptr<Capture>(new Capture(std::move(options), clock, std::move(file)));
}

Capture::Capture(CaptureOptions options, const Clock& clock, LineFile file)
    : options_(std::move(options)), clock_(clock), file_(std::move(file)) {
  thread_ = std::thread([this] { run(); });
}

Capture::~Capture() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
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
  try {
    if (!wanted(loaded)) return;
    {
      const std::lock_guard lock(mutex_);  // no copy is made of what finds no room
      if (waiting_bytes_ >= options_.memory) {
        ++dropped_;
        return;
      }
    }
    Captured line{.model = loaded.name,
                  .digest = loaded.digest,
                  .time = format_rfc3339(clock_.now(), 6),
                  .agent = options_.agent,
                  .request_id = std::string(options.id),
                  .version = loaded.version};
    line.correlation = random_uuid();
    Request request(2, line);
    request[0].input = true;
    uint64_t bytes = 0;
    for (const TensorView& input : inputs) bytes += add(request[0], input, options_.tensor);
    for (const Tensor& output : outputs) bytes += add(request[1], view_of(output), options_.tensor);
    const std::lock_guard lock(mutex_);
    waiting_bytes_ += bytes;
    waiting_.push_back(std::move(request));
    if (waiting_.size() == 1) wake_.notify_one();
  } catch (const std::exception&) {  // memory: the request itself may still succeed
    ++dropped_;
  }
}

void Capture::run() {
  for (bool ending = false; !ending;) {
    std::deque<Request> taken;
    {
      std::unique_lock lock(mutex_);
      const auto look = std::min(options_.after, std::chrono::milliseconds(1000));
      wake_.wait_for(lock, look, [this] { return ending_ || !waiting_.empty(); });
      ending = ending_;
      taken.swap(waiting_);
      waiting_bytes_ = 0;
    }
    write(std::move(taken));
    close_where_due(ending);
  }
}

void Capture::write(std::deque<Request> requests) {
  while (!requests.empty()) {
    std::vector<std::string> lines, ids;
    const uint64_t before = requests.size();
    while (!requests.empty() && (lines.empty() || file_.lines() + lines.size() < options_.lines)) {
      for (Captured& line : requests.front()) {
        line.id = random_uuid();
        lines.push_back(line_of(line));
        ids.push_back(line.id);
      }
      requests.pop_front();
    }
    const uint64_t count = before - requests.size();
    const Result<void> done = disk_full()
                                  ? fail(Code::unavailable, "the directory is as full as it may be")
                                  : file_.append(lines, ids);
    (done ? written_ : dropped_) += count;
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
                "Requests of the sample that were not: no room in memory or on disk", dropped_);
}

}  // namespace holdfast::inference
