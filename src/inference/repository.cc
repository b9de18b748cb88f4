#include "inference/repository.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <filesystem>

#include "base/clock.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/json_reader.h"
#include "base/log.h"
#include "inference/batch.h"
#include "inference/drift/profile.h"
#include "inference/pipeline.h"
#include "inference/warm_up.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kModelLimit = 16ull << 30;

std::optional<int64_t> version_of(const std::string& name) {
  const auto number = parse_u64(name);
  if (!number || *number == 0 || *number > INT64_MAX || std::to_string(*number) != name)
    return std::nullopt;
  return static_cast<int64_t>(*number);
}

Result<void> check_run(std::string_view run) {
  const bool plain = std::ranges::all_of(run, [](char c) { return c >= ' ' && c <= '~'; });
  if (run.size() > kLongestRun || !plain)
    return fail(Code::invalid_argument,
                "a run is a text of at most " + std::to_string(kLongestRun) + " ASCII characters");
  return {};
}

// What was said when the version was sent in.
std::optional<std::string> run_of(const fs::path& folder) {
  const auto text = read_file(folder / "model.json", 64 << 10);
  const auto about = text ? parse_json_object(*text, "model.json") : std::unexpected(text.error());
  const boost::json::value* run = about ? about->if_contains("run") : nullptr;
  if (run == nullptr || !run->is_string()) return std::nullopt;
  return std::string(run->get_string());
}

}  // namespace

Result<void> check_model_name(std::string_view name) {
  const bool fits = !name.empty() && name.size() <= 128 && name.front() != '.' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                    });
  if (!fits)
    return fail(
        Code::invalid_argument,
        "'" + std::string(name) +
            "' is not a model name: 1 to 128 letters, digits, '.', '_' and '-', not '.' first");
  return {};
}

Result<void> Repository::read_recipe(Loaded& loaded) const {
  loaded.accepts = loaded.model->signature();
  const auto yaml = read_file(directory_ + "/" + loaded.name + "/picture.yaml", 1 << 20);
  if (!yaml && yaml.error().code() == Code::not_found) return {};
  if (!yaml) return fail(Code::invalid_argument, "picture.yaml cannot be read");
  TRY(loaded.pictures, picture_input(*yaml, loaded.accepts));
  loaded.accepts.inputs[loaded.pictures->input].pictures = true;
  return {};
}

Result<LoadedPtr> Repository::load_file(const std::string& name, int64_t version,
                                        const std::string& path) {
  const auto start = std::chrono::steady_clock::now();
  auto loaded = std::make_shared<Loaded>();
  loaded->name = name;
  loaded->version = version;
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  TRY_VOID(make_room(name, version, error ? 0 : size));
  TRY(loaded->digest, digest_of(path));
  TRY_VOID(engine_.open());  // what all models share is none's charge
  loaded->running = page_->add(name, version);
  loaded->breaker.configure(care_.breaker);
  if (is_pipeline(path)) TRY_VOID(load_pipeline(*loaded, path));
  const uint64_t before = bytes_in_use();
  if (!loaded->pipeline) {
    const Running::Run loading(*loaded->running, true);
    TRY(Prepared prepared, engine_.prepare(path, loaded->digest));
    loaded->model = mark_runs(std::move(prepared.model), loaded->running);
    loaded->queue.most_lanes = prepared.lanes;
    loaded->queue.most_rows = prepared.rows;
  }
  TRY_VOID(read_recipe(*loaded));
  read_profile(*loaded, fs::path(path).parent_path());
  loaded->run = run_of(fs::path(path).parent_path()).value_or(care_.run);
  // Requests of its models are what may be run together and at once, not those of a pipeline.
  loaded->mergeable = !loaded->pipeline && can_merge(loaded->model->signature());
  warm_up(*loaded);
  if (loaded->pipeline) loaded->p99_ns = kUnknownTime;
  // What the engine took by now, activations of a run included; what requests take meanwhile is in
  // it as well, so that a model is charged too much rather than too little.
  const uint64_t after = bytes_in_use();
  loaded->bytes = std::max(after > before ? after - before : 0, error ? 0 : size);
  TRY_VOID(make_room(name, version, loaded->bytes));
  loaded->loaded_ms =
      static_cast<uint64_t>(SystemClock().now().time_since_epoch().count()) / 1000000;
  loaded->load_ns = (std::chrono::steady_clock::now() - start).count();
  return loaded;
}

Result<std::vector<int64_t>> Repository::on_disk(const std::string& name) const {
  std::vector<int64_t> found;
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(directory_ + "/" + name, error)) {
    const auto version = version_of(folder.path().filename());
    if (version && fs::exists(folder.path() / "model.onnx", error)) found.push_back(*version);
  }
  if (found.empty()) return fail(Code::not_found, "there is no model '" + name + "'");
  std::sort(found.begin(), found.end());
  return found;
}

Repository::Repository(std::string directory, Engine& engine, SchedulerOptions scheduling,
                       Budget budget, Care care, std::shared_ptr<RunningPage> page)
    : directory_(std::move(directory)),
      engine_(engine),
      budget_(std::move(budget)),
      care_(std::move(care)),
      page_(std::move(page)),
      scheduler_(scheduling),
      pictures_(2, scheduling.queue) {}

bool Repository::publish(const LoadedPtr& loaded, Place place) {
  std::vector<LoadedPtr> old;  // destroyed outside the lock: a session may take its time
  const TrialPtr trial = trials_.find(loaded->name);
  const int64_t candidate = trial && trial->running() ? trial->spec().version : 0;
  const std::lock_guard lock(mutex_);
  Group& group = groups_[loaded->name];
  group.failed.erase(loaded->version);
  old.push_back(std::exchange(group.loaded[loaded->version], loaded));
  const int64_t current = group.current ? group.current->version : group.evicted;
  if (place == Place::chosen || current == 0 ||
      (place == Place::newest && current <= loaded->version)) {
    group.evicted = 0;
    old.push_back(std::exchange(group.current, loaded));
  }
  // One other version stays loaded, to be asked for by number and to go back to; a candidate too.
  for (auto it = group.loaded.begin(); group.loaded.size() > 2 && it != group.loaded.end();) {
    const bool stays =
        it->second == group.current || it->second == loaded || it->first == candidate;
    if (!stays) old.push_back(std::move(it->second));
    it = stays ? std::next(it) : group.loaded.erase(it);
  }
  return group.current == loaded;
}

Task<Result<LoadedPtr>> Repository::put(std::string name, int64_t version, ByteSource& bytes,
                                        uint64_t limit, Put how) {
  limit = std::min(limit, kModelLimit);
  CO_TRY_VOID(check_model_name(name));
  if (version <= 0) co_return fail(Code::invalid_argument, "a version is a number from 1");
  CO_TRY_VOID(check_run(how.run));
  const std::string incoming = directory_ + "/.incoming-" + hex(as_bytes(random_bytes(8)));
  struct Cleanup {
    std::string path;
    ~Cleanup() {
      std::error_code error;
      fs::remove_all(path, error);
    }
  };
  CO_TRY_VOID(make_directories(incoming));
  const Cleanup cleanup{incoming};
  CO_TRY(const Fd fd, open_file(incoming + "/model.onnx", O_WRONLY | O_CREAT | O_EXCL));
  std::vector<std::byte> piece(256 << 10);
  for (uint64_t size = 0;;) {
    CO_TRY(const size_t count, co_await bytes.read(piece));
    if (count == 0) break;
    size += count;
    if (size > limit)
      co_return fail(Code::too_large, "the model is larger than " + format_size(limit));
    auto write = [&fd, &piece, count] {
      return write_all(fd.get(), ByteView(piece.data(), count));
    };
    CO_TRY_VOID(co_await pool_.run(std::move(write)));
  }
  auto work = [this, &fd, &incoming, &name, version, &how]() -> Result<LoadedPtr> {
    if (::fsync(fd.get()) != 0) return std::unexpected(errno_error(errno, "fsync of the model"));
    return install(name, version, incoming, how);
  };
  co_return co_await pool_.run(std::move(work));
}

Result<LoadedPtr> Repository::install(const std::string& name, int64_t version,
                                      const std::string& incoming, const Put& how) {
  const std::lock_guard changing(changing_);
  const std::string folder = directory_ + "/" + name + "/" + std::to_string(version);
  const bool there = fs::exists(folder + "/model.onnx");
  if (there) {
    TRY_VOID(lives_.check_free(name, version));
    TRY(const std::string old, digest_of(folder + "/model.onnx"));
    TRY(const std::string sent, digest_of(incoming + "/model.onnx"));
    if (old != sent)
      return fail(Code::conflict, "version " + std::to_string(version) + " of '" + name +
                                      "' exists with other bytes; versions do not change");
  }
  LoadedPtr loaded;
  if (auto serving = find(name, version); there && serving) {
    loaded = *serving;
  } else {
    const std::string file = incoming + "/model.onnx";
    if (!there && care_.try_first && !is_pipeline(file)) TRY_VOID(care_.try_first(file));
    TRY(loaded, load_file(name, version, file));
  }
  if (!there) {
    boost::json::object info;
    info["digest"] = loaded->digest;
    info["size"] = static_cast<uint64_t>(fs::file_size(incoming + "/model.onnx"));
    if (!how.run.empty()) info["run"] = loaded->run = how.run;
    info["created"] = format_rfc3339(SystemClock().now());
    TRY_VOID(replace_file(incoming + "/model.json", as_bytes(boost::json::serialize(info) + "\n")));
    TRY_VOID(make_directories(directory_ + "/" + name));
    if (how.beside) TRY_VOID(pin_current(name));
    if (::rename(incoming.c_str(), folder.c_str()) != 0)
      return std::unexpected(errno_error(errno, "rename to " + folder));
    TRY_VOID(sync_directory(directory_ + "/" + name));
  }
  const Place place = how.beside ? Place::beside : Place::newest;
  if (publish(loaded, place) && !how.beside) TRY_VOID(forget_activation(name));
  return loaded;
}

Task<Result<LoadedPtr>> Repository::load(std::string name, int64_t version) {
  CO_TRY_VOID(check_model_name(name));
  auto work = [this, &name, version]() -> Result<LoadedPtr> {
    const std::lock_guard changing(changing_);
    TRY(const auto versions, on_disk(name));
    int64_t wanted = version == 0 ? lives_.newest_free(name, versions) : version;
    const TrialPtr trial = trials_.find(name);
    const bool tried = trial && trial->running();
    // Its candidate takes over by the trial alone.
    if (version == 0 && tried && wanted == trial->spec().version) wanted = trial->current();
    if (std::find(versions.begin(), versions.end(), wanted) == versions.end())
      return fail(Code::not_found,
                  "there is no version " + std::to_string(wanted) + " of '" + name + "'");
    TRY_VOID(lives_.check_free(name, wanted));
    TRY(LoadedPtr loaded,
        load_file(name, wanted,
                  directory_ + "/" + name + "/" + std::to_string(wanted) + "/model.onnx"));
    if (publish(loaded) && !(tried && wanted == trial->current()))
      TRY_VOID(forget_activation(name));
    return loaded;
  };
  co_return co_await pool_.run(std::move(work));
}

}  // namespace holdfast::inference
