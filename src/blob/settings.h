// What is asked of an account as a whole.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace holdfast::blob {

// What the owner of an account asks for it.
struct AccountSettings {
  bool versioning = false;
  std::chrono::seconds containers_kept{0};  // after their deletion
  bool events = false;                      // somebody listens to what happens here
  bool change_feed = false;
  std::chrono::seconds change_feed_kept{0};  // 0: for good
  std::chrono::seconds rehydration{60};      // what a standard one takes
};
using SettingsOf = std::function<AccountSettings(std::string_view account)>;
// A service's properties as a document, and what of it is for the domain.
struct ServiceDocument {
  ServiceDocument() = default;
  explicit ServiceDocument(std::string text_) : text(std::move(text_)) {}
  std::string text;
  std::chrono::hours kept{0};  // deleted blobs
  bool permanent_delete = false;
};

}  // namespace holdfast::blob
