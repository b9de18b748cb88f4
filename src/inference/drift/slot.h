// Where a loaded version has its profile. Any thread may call.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

namespace holdfast::inference {

struct Profile;

class ProfileSlot {
 public:
  bool empty() const { return !there_.load(std::memory_order_acquire); }
  std::shared_ptr<const Profile> get() const {
    const std::lock_guard lock(mutex_);
    return profile_;
  }
  std::string error() const {  // why a file that is there is not used
    const std::lock_guard lock(mutex_);
    return error_;
  }
  void set(std::shared_ptr<const Profile> profile, std::string error = "") {
    const std::lock_guard lock(mutex_);
    profile_ = std::move(profile);
    error_ = std::move(error);
    there_.store(profile_ != nullptr, std::memory_order_release);
  }

 private:
  std::atomic<bool> there_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<const Profile> profile_;
  std::string error_;
};

}  // namespace holdfast::inference
