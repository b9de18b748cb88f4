// Source: PKWARE's APPNOTE (zip), numpy.lib.format (npy).
#include "inference/measure/npz.h"

#include <zlib.h>

#include <cstring>

#include "base/files.h"

namespace holdfast::inference {
namespace {

constexpr uint64_t kMost = 1ull << 30;

std::unexpected<Error> broken(const std::string& what) {
  return fail(Code::invalid_argument, "not a readable .npz or .npy file: " + what);
}

uint64_t number(std::string_view bytes, size_t at, size_t size) {
  uint64_t out = 0;
  for (size_t i = 0; i < size; ++i)
    out |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return out;
}

Result<std::string> inflate_all(std::string_view packed, uint64_t size) {
  std::string out(size, '\0');
  z_stream stream{};
  if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) return broken("zlib");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int done = ::inflate(&stream, Z_FINISH);
  const bool whole = done == Z_STREAM_END && stream.total_out == size;
  ::inflateEnd(&stream);
  if (!whole) return broken("its compressed bytes are damaged");
  return out;
}

// What follows `'key':` in the header, a Python literal.
std::string_view literal(std::string_view header, std::string_view key) {
  const size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  header.remove_prefix(at + key.size());
  while (!header.empty() && (header.front() == ':' || header.front() == ' '))
    header.remove_prefix(1);
  return header;
}

Result<Datatype> type_of(std::string_view descr) {
  constexpr std::pair<std::string_view, Datatype> kinds[] = {
      {"|b1", Datatype::boolean}, {"|u1", Datatype::uint8},  {"<u2", Datatype::uint16},
      {"<u4", Datatype::uint32},  {"<u8", Datatype::uint64}, {"|i1", Datatype::int8},
      {"<i2", Datatype::int16},   {"<i4", Datatype::int32},  {"<i8", Datatype::int64},
      {"<f2", Datatype::fp16},    {"<f4", Datatype::fp32},   {"<f8", Datatype::fp64}};
  for (const auto& [name, type] : kinds) {
    if (descr.substr(1, 3) == name) return type;
  }
  return fail(Code::unsupported, "an array's type " + std::string(descr.substr(0, 6)) +
                                     " is no number of a common kind");
}

Result<Tensor> parse_npy(std::string name, std::string_view bytes) {
  if (bytes.size() < 12 || bytes.substr(0, 6) != std::string_view("\x93NUMPY", 6))
    return broken("'" + name + "' is not an array");
  const bool first = bytes[6] == 1;
  const size_t head = first ? 10 : 12;
  const uint64_t size = number(bytes, 8, first ? 2 : 4);
  if (size > bytes.size() - head) return broken("'" + name + "' is cut");
  const std::string_view header = bytes.substr(head, size);
  Tensor out;
  out.name = std::move(name);
  const std::string_view descr = literal(header, "'descr'");
  if (descr.size() < 5) return broken("'" + out.name + "' has no type");
  TRY(out.type, type_of(descr));
  std::string_view shape = literal(header, "'shape'");
  const size_t end = shape.find(')');
  if (shape.empty() || end == std::string_view::npos)
    return broken("'" + out.name + "' has no shape");
  for (const std::string_view part : split(shape.substr(1, end - 1), ',')) {
    if (trim(part).empty()) continue;
    const auto length = parse_u64(trim(part));
    if (!length || *length > kMost) return broken("'" + out.name + "' has no usable shape");
    out.shape.push_back(static_cast<int64_t>(*length));
  }
  if (literal(header, "'fortran_order'").starts_with("True") && out.shape.size() > 1)
    return fail(Code::unsupported, "'" + out.name + "' is in Fortran's order");
  TRY(const uint64_t count, element_count(out.shape));
  const std::string_view data = bytes.substr(head + size);
  if (count * size_of(out.type) != data.size())
    return broken("'" + out.name + "' has not the bytes that its shape says");
  out.data.assign(as_bytes(data).begin(), as_bytes(data).end());
  return out;
}

}  // namespace

Result<Tensor> read_npy(const std::string& path) {
  TRY(const std::string file, read_file(path, kMost));
  return parse_npy("", file);
}

Result<std::vector<Tensor>> read_npz(const std::string& path) {
  TRY(const std::string file, read_file(path, kMost));
  const std::string_view bytes = file;
  constexpr size_t kEnd = 22, kEntry = 46, kLocal = 30;
  const size_t end = bytes.rfind("PK\5\6");
  if (end == std::string_view::npos || bytes.size() - end < kEnd)
    return broken("it has no list of arrays");
  const uint64_t entries = number(bytes, end + 10, 2);
  uint64_t at = number(bytes, end + 16, 4), left = kMost;
  std::vector<Tensor> out;
  for (uint64_t i = 0; i < entries; ++i) {
    if (at > bytes.size() || bytes.size() - at < kEntry || bytes.substr(at, 4) != "PK\1\2")
      return broken("its list of arrays is damaged");
    const uint64_t method = number(bytes, at + 10, 2), packed = number(bytes, at + 20, 4),
                   size = number(bytes, at + 24, 4), name_size = number(bytes, at + 28, 2),
                   local = number(bytes, at + 42, 4);
    if (bytes.size() - at - kEntry < name_size) return broken("its list of arrays is damaged");
    std::string name(bytes.substr(at + kEntry, name_size));
    at += kEntry + name_size + number(bytes, at + 30, 2) + number(bytes, at + 32, 2);
    if (local > bytes.size() || bytes.size() - local < kLocal || size > left)
      return broken("an array is cut, or larger than " + format_size(kMost));
    const uint64_t data =
        local + kLocal + number(bytes, local + 26, 2) + number(bytes, local + 28, 2);
    if (data > bytes.size() || bytes.size() - data < packed) return broken("an array is cut");
    left -= size;
    std::string array(bytes.substr(data, packed));
    if (method == 8) {
      TRY(array, inflate_all(array, size));
    } else if (method == 0) {
      if (packed != size) return broken("its list of arrays is damaged");
    } else {
      return fail(Code::unsupported, "it is compressed in a way that is not offered");
    }
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    TRY(Tensor tensor, parse_npy(std::move(name), array));
    out.push_back(std::move(tensor));
  }
  return out;
}

}  // namespace holdfast::inference
