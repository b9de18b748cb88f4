#include "oci/stream.h"

#include <unistd.h>
#include <zlib.h>

#include <cerrno>

#include "base/files.h"

namespace holdfast::oci {
namespace {

constexpr size_t kPiece = 64 << 10;
constexpr int kGzipWindow = 15 + 16;

unsigned char* zlib_bytes(const std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes));
}

struct Inflater {
  explicit Inflater(ByteReader source_) : source(std::move(source_)), in(kPiece) {
    if (::inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream); }

  static std::unexpected<Error> damaged(const char* what) {
    return fail(Code::invalid_argument, "layer_invalid", std::string("the gzip stream is ") + what);
  }

  Result<size_t> read(std::span<std::byte> into) {
    stream.next_out = zlib_bytes(into.data());
    stream.avail_out = static_cast<unsigned>(into.size());
    while (stream.avail_out == into.size() && !into.empty()) {
      if (stream.avail_in == 0) {
        TRY(const size_t count, source(in));
        if (count == 0) {
          if (!between) return damaged("cut short");
          return 0;
        }
        stream.next_in = zlib_bytes(in.data());
        stream.avail_in = static_cast<unsigned>(count);
      }
      between = false;
      const int status = ::inflate(&stream, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        between = true;
        ::inflateReset(&stream);
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return damaged("damaged");
      }
    }
    return into.size() - stream.avail_out;
  }

  ByteReader source;
  std::vector<std::byte> in;
  z_stream stream{};
  bool between = false;  // at the end of a member
};

}  // namespace

ByteReader file_reader(int fd) {
  return [fd, at = off_t{0}](std::span<std::byte> into) mutable -> Result<size_t> {
    ssize_t count = 0;
    do {
      count = ::pread(fd, into.data(), into.size(), at);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return std::unexpected(errno_error(errno, "read"));
    at += count;
    return static_cast<size_t>(count);
  };
}

ByteSink file_sink(int fd) {
  return [fd](ByteView bytes) { return write_all(fd, bytes); };
}

struct GzipWriter::State {
  State(ByteSink sink_, int level) : sink(std::move(sink_)), out(kPiece) {
    if (::deflateInit2(&stream, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
    header.os = 255;  // unknown, on every machine
    ::deflateSetHeader(&stream, &header);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::deflateEnd(&stream); }

  Result<void> run(ByteView bytes, int flush) {
    stream.next_in = zlib_bytes(bytes.data());
    stream.avail_in = static_cast<unsigned>(bytes.size());
    do {
      stream.next_out = zlib_bytes(out.data());
      stream.avail_out = static_cast<unsigned>(out.size());
      ::deflate(&stream, flush);
      TRY_VOID(sink(ByteView(out.data(), out.size() - stream.avail_out)));
    } while (stream.avail_out == 0);
    return {};
  }

  ByteSink sink;
  std::vector<std::byte> out;
  z_stream stream{};
  gz_header header{};
};

GzipWriter::GzipWriter(ByteSink sink, int level)
    : state_(std::make_unique<State>(std::move(sink), level)) {}
GzipWriter::~GzipWriter() = default;

Result<void> GzipWriter::write(ByteView bytes) {
  while (!bytes.empty()) {
    const ByteView part = bytes.first(std::min<size_t>(bytes.size(), 1 << 30));
    TRY_VOID(state_->run(part, Z_NO_FLUSH));
    bytes = bytes.subspan(part.size());
  }
  return {};
}

Result<void> GzipWriter::finish() {
  return state_->run({}, Z_FINISH);
}

ByteReader gunzip(ByteReader compressed) {
  auto inflater = std::make_shared<Inflater>(std::move(compressed));
  return [inflater](std::span<std::byte> into) { return inflater->read(into); };
}

}  // namespace holdfast::oci
