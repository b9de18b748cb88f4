// The models on disk (<models>/NAME/VERSION/model.onnx and model.json) and those that are loaded. A
// new version is written, loaded and warmed up before anybody sees it; then one pointer changes,
// and the old one ends when its last request does. Whatever fails before leaves the old one.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "inference/entry.h"
#include "inference/lives.h"
#include "inference/loaded.h"
#include "inference/observer.h"
#include "inference/scheduler.h"
#include "inference/trials.h"
#include "net/byte_stream.h"
#include "net/runtime.h"

namespace holdfast::inference {

// 1–128 of A–Z a–z 0–9 . _ -, not beginning with '.'. invalid_argument.
Result<void> check_model_name(std::string_view name);

// Any thread may call.
class Repository {
 public:
  // Loads every model's newest version that can be loaded; those that fail are listed as
  // UNAVAILABLE with their reasons.
  static Result<std::unique_ptr<Repository>> open(std::string directory, Engine& engine,
                                                  SchedulerOptions scheduling = {},
                                                  Budget budget = {}, Care care = {});

  // `version` 0: the current one. not_found; unavailable: there, but not loaded, with the reason;
  // that of an evicted one is kEvictedReason.
  Result<LoadedPtr> find(std::string_view name, int64_t version = 0) const;
  // The same, but loads what is evicted, others making room. unavailable: "no_memory" too.
  Task<Result<LoadedPtr>> acquire(std::string name, int64_t version = 0);
  // Streams a model in; durable and serving when it returns. The newest version becomes current,
  // unless it is put beside; one more stays loaded. conflict: the version exists with other bytes
  // (the same bytes are fine, and its run stays); invalid_argument: not a model, not a run.
  Task<Result<LoadedPtr>> put(std::string name, int64_t version, ByteSource& bytes, uint64_t limit,
                              Put how = {});
  Task<Result<LoadedPtr>> load(std::string name, int64_t version = 0);  // 0: the newest on disk
  // Makes a version on disk the current one, whatever its number, loading it where it is not; it
  // stays current over a restart, until a put() or load() of one that is not older. not_found.
  Task<Result<LoadedPtr>> activate(std::string name, int64_t version);
  // Loads one that is in memory anew, as it is tuned by now, in the old one's place. not_found.
  Task<Result<LoadedPtr>> retune(std::string name, int64_t version);
  // Loads a version on disk beside the current one, which stays so over a restart. not_found.
  Task<Result<LoadedPtr>> stage(std::string name, int64_t version);
  // Keeps a profile (drift/profile.h) beside a loaded version. invalid_argument: not one of it.
  Task<Result<void>> set_profile(std::string name, int64_t version, std::string text);
  Task<Result<void>> unload(std::string name);  // requests that run end as they began; not_found
  Task<Result<void>> remove(std::string name, int64_t version);  // conflict: current, not alone
  Task<Result<void>> remove_all(std::string name);  // every version; success where there is none
  // A held version may serve again, and does where nothing else answers. not_found: it is not held.
  Task<Result<void>> release(std::string name, int64_t version);
  // What follows from the end of a trial: durable. Blocking.
  Result<void> settle(const std::string& name, int64_t version, TrialState how,
                      const std::string& reason);
  LoadedPtr other_than(const Loaded& loaded) const;  // in memory, well, alike; null: none
  std::vector<Entry> list() const;
  std::vector<int64_t> versions(std::string_view name) const;  // loaded ones, oldest first
  bool ready() const { return unready().empty(); }
  std::string unready() const;  // why a model that nobody unloaded does not serve; "": all do
  // Where slow models run. Loading has threads of its own, so that it delays no answer.
  Scheduler& scheduler() { return scheduler_; }
  PictureDecoder& pictures() { return pictures_; }
  Trials& trials() { return trials_; }
  Lives& lives() { return lives_; }
  const Care& care() const { return care_; }
  std::vector<Observer*> observers;  // set before the first request; they outlive the last one

 private:
  Repository(std::string directory, Engine& engine, SchedulerOptions scheduling, Budget budget,
             Care care, std::shared_ptr<RunningPage> page);
  struct Group {
    std::map<int64_t, LoadedPtr> loaded;
    LoadedPtr current;
    std::map<int64_t, std::string> failed;
    int64_t evicted = 0;  // the version that was current; 0: none
  };
  uint64_t bytes_loaded() const;  // under the lock
  bool fits(uint64_t bytes) const;
  void mark_evicted(const std::string& name, int64_t version, bool current);
  Result<void> make_room(const std::string& name, int64_t version, uint64_t bytes);
  Result<LoadedPtr> install(const std::string& name, int64_t version, const std::string& incoming,
                            const Put& how);
  Result<LoadedPtr> load_file(const std::string& name, int64_t version, const std::string& path);
  Result<LoadedPtr> bring_back(const std::string& name, int64_t version);  // acquire(), in a change
  Result<void> load_pipeline(Loaded& loaded, const std::string& path);
  void load_first(const std::string& name, const Life& life);
  Result<void> read_recipe(Loaded& loaded) const;
  Result<std::vector<int64_t>> on_disk(const std::string& name) const;
  enum class Place { newest, chosen, beside };
  // True where it is current then: chosen, not older, or alone.
  bool publish(const LoadedPtr& loaded, Place place = Place::newest);
  Result<void> forget_activation(const std::string& name);  // durable; fine where there is none
  int64_t first_version(const std::string& name, const std::vector<int64_t>& on_disk) const;
  void resume(const std::string& name, const Life& life);  // the trial that ran, where it can be
  Result<LoadedPtr> make_current(const std::string& name, int64_t version);
  Result<void> pin_current(const std::string& name);  // over a restart; fine where there is none
  const std::string directory_;
  Engine& engine_;
  const Budget budget_;
  const Care care_;
  const std::shared_ptr<RunningPage> page_;
  Scheduler scheduler_;
  PictureDecoder pictures_;
  BlockingPool pool_{"models", 2};
  std::mutex changing_;  // one change at a time
  mutable std::mutex mutex_;
  std::map<std::string, Group, std::less<>> groups_;
  Lives lives_{directory_};
  Trials trials_{*this};  // the first to end: it uses all others
};

}  // namespace holdfast::inference
