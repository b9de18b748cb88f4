// A database with an object store on it, and short words for what tests do with them.
#pragma once

#include <gtest/gtest.h>

#include "net/runtime.h"
#include "store/objects/object_store.h"
#include "store/testing.h"

namespace holdfast::store {

struct ObjectRig {
  Folder folder;
  std::unique_ptr<Database> database;
  std::unique_ptr<ObjectStore> objects;

  StagedContent stage(const std::string& bytes) {
    const auto work = [](ObjectStore& on, const std::string& text) -> Task<Result<StagedContent>> {
      CO_TRY(auto writer, co_await on.create(text.size()));
      for (size_t at = 0; at < text.size(); at += 1000)
        CO_TRY_VOID(co_await writer->append(as_bytes(std::string_view(text).substr(at, 1000))));
      co_return co_await writer->finish();
    };
    return *run_task(work(*objects, bytes));
  }
  template <class F>
  auto write(F work) {
    return run_task(database->write(std::move(work)));
  }
  ContentId put(const std::string& bytes) {
    const StagedContent staged = stage(bytes);
    return *write([this, staged](Tx& tx) { return objects->add(tx, staged); });
  }
  Result<std::shared_ptr<OpenContent>> find(ContentId id) {
    auto work = [this, id](Tx& tx) { return objects->open(tx, id); };
    return run_task(database->read(std::move(work)));
  }
  std::string read(const std::shared_ptr<OpenContent>& content, uint64_t offset = 0,
                   uint64_t size = UINT64_MAX) {
    std::string out(std::min(size, content->size() - offset), '\0');
    EXPECT_TRUE(run_task(content->read(offset, std::as_writable_bytes(std::span(out)))));
    return out;
  }
  void release(ContentId id) {
    ASSERT_TRUE(write([this, id](Tx& tx) { return objects->release(tx, id); }));
  }
};

inline std::string text(size_t size, char first) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(first + static_cast<char>(i % 20));
  return out;
}

}  // namespace holdfast::store
