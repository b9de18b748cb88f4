// Blocking byte pipes for tar and compression, which run on a pool. One thread each.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"

namespace holdfast::oci {

using ByteSink = std::function<Result<void>(ByteView)>;
// Up to the span's size; 0 at the end.
using ByteReader = std::function<Result<size_t>(std::span<std::byte>)>;

// Reads from the start of an open file; `fd` must outlive it. Errors as errno_error() maps them.
ByteReader file_reader(int fd);
// Writes at the file's position.
ByteSink file_sink(int fd);

// Compresses what is given; finish() ends the stream. The same bytes for the same input with one
// version of zlib: no name, no time.
class GzipWriter {
 public:
  GzipWriter(ByteSink sink, int level);
  ~GzipWriter();
  Result<void> write(ByteView bytes);
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Decompresses, also several members in a row. invalid_argument "layer_invalid" on damage or a
// stream that is cut short. It bounds nothing: the reader of its bytes does.
ByteReader gunzip(ByteReader compressed);

}  // namespace holdfast::oci
