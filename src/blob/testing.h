// For tests: the blob domain over a database and an object store in memory, both able to fail.
#pragma once

#include "blob/blobs.h"
#include "store/database/failing_database.h"
#include "store/objects/memory_objects.h"
#include "store/objects/testing.h"

namespace holdfast::blob {

using store::text;

// "" where it went well; else the error's reason, or its code where it has none.
template <class T>
std::string reason_of(const Result<T>& outcome) {
  if (outcome) return "";
  const Error& error = outcome.error();
  return std::string(error.reason().empty() ? to_string(error.code()) : error.reason());
}

// The account "site1" with the container "c". What it stages never fails; what the blobs do can be
// made to.
struct TestBlobs : store::ObjectRig {
  FakeClock clock;
  std::unique_ptr<store::FailingDatabase> failing_database;
  std::unique_ptr<store::FailingObjects> failing_objects;
  std::unique_ptr<Blobs> blobs;

  TestBlobs() {
    database = std::move(*store::open_sqlite({":memory:"}));
    objects = std::move(*store::open_memory_objects(*database));
    failing_database = std::make_unique<store::FailingDatabase>(*database);
    failing_objects = std::make_unique<store::FailingObjects>(*objects);
    restart();
    make_container("c");
  }

  // A second process on the same stores.
  void restart() { blobs = std::move(*Blobs::open(*failing_database, *failing_objects, clock)); }

  static BlobKey key(std::string name) { return {"site1", "c", std::move(name)}; }

  void make_container(std::string name) {
    EXPECT_EQ(reason_of(run_task(blobs->create_container("site1", std::move(name), {}))), "");
  }
  Result<Info> put_blob(std::string name, const std::string& bytes, Conditions conditions = {},
                        Pairs headers = {}, Pairs metadata = {}) {
    return run_task(blobs->put_blob(key(std::move(name)), stage(bytes), std::move(headers),
                                    std::move(metadata), conditions));
  }
  Result<void> put_block(std::string name, std::string id, const std::string& bytes) {
    return run_task(blobs->put_block(key(std::move(name)), std::move(id), stage(bytes), {}));
  }
  Result<Info> put_list(std::string name, std::vector<BlockRef> blocks,
                        Conditions conditions = {}) {
    return run_task(blobs->put_block_list(key(std::move(name)), std::move(blocks), {}, conditions));
  }
  Result<void> delete_blob(std::string name, Conditions conditions = {}) {
    return run_task(blobs->delete_blob(key(std::move(name)), conditions));
  }
  Result<Info> info(std::string name) { return run_task(blobs->blob(key(std::move(name)), {})); }
  // The blob's bytes, or the reason why there are none.
  std::string bytes(std::string name) {
    const auto open = run_task(blobs->open_blob(key(std::move(name)), {}));
    return open ? read(open->content) : reason_of(open);
  }

  // Contents that are held; what no one holds is freed first, and `freed` says how many bytes of
  // it.
  int64_t contents_after_sweep(uint64_t* freed = nullptr) {
    const auto bytes_freed = run_task(blobs->objects().sweep());
    EXPECT_TRUE(bytes_freed);
    if (freed != nullptr) *freed = bytes_freed.value_or(0);
    return std::stoll(rows("SELECT count(*) FROM content"));
  }

  // The first column of each row, a line each.
  std::string rows(std::string_view sql) {
    std::string out;
    EXPECT_TRUE(database->write_now([&](store::Tx& tx) {
      return tx.each(sql, {}, [&](const store::Row& row) {
        out += std::string(row.text(0)) + "\n";
        return true;
      });
    }));
    return out;
  }
  // All that is stored, so that a test can say that nothing of it changed.
  std::string everything() {
    std::string out;
    for (const char* sql :
         {"SELECT id||' '||account||' '||name||' '||modified||' '||etag||' '||metadata FROM "
          "container ORDER BY id",
          "SELECT container||' '||name||' '||content||' '||size||' '||created||' '||modified||' '"
          "||etag||' '||headers||' '||metadata FROM blob ORDER BY container, name",
          "SELECT container||' '||blob||' '||seq||' '||id||' '||content||' '||size FROM "
          "committed_block ORDER BY container, blob, seq",
          "SELECT container||' '||blob||' '||id||' '||content||' '||size||' '||created FROM "
          "uncommitted_block ORDER BY container, blob, id",
          "SELECT account||' '||document||' '||kept_days FROM service_properties ORDER BY account",
          "SELECT container||' '||name||' '||at||' '||state||' '||expires||' '||content||' "
          "'||metadata "
          "FROM blob_history ORDER BY container, name, at",
          "SELECT container||' '||blob||' '||at||' '||seq||' '||content FROM history_block ORDER "
          "BY "
          "container, blob, at, seq",
          "SELECT container||' '||blob||' '||at||' '||seq||' '||content FROM history_part ORDER BY "
          "container, blob, at, seq",
          "SELECT id||' '||name||' '||at||' '||expires FROM deleted_container ORDER BY id",
          "SELECT id||' '||kind||' '||size||' '||refs FROM content ORDER BY id",
          "SELECT parent||' '||seq||' '||child FROM content_part ORDER BY parent, seq"}) {
      out += rows(sql) + "--\n";
    }
    return out;
  }
};

inline Conditions if_match(uint64_t etag) {
  Conditions conditions;
  conditions.if_match = etag;
  return conditions;
}
inline Conditions if_none_match(uint64_t etag) {
  Conditions conditions;
  conditions.if_none_match = etag;
  return conditions;
}
inline Conditions create_only() {
  Conditions conditions;
  conditions.create_only = true;
  return conditions;
}

}  // namespace holdfast::blob
