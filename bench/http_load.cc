// A closed-loop HTTP/1.1 load generator: the same client for us and for every peer.
//
//   bench_http_load HOST PORT REQUESTS CONNECTIONS SECONDS SEED [BODY [once]]
//
// REQUESTS is a file of raw requests, each preceded by its length (uint32, little endian). Every
// connection is a thread that sends one of them, drawn uniformly, and reads the answer
// (Content-Length or chunked) before the next. The bytes of the file BODY follow each request; with
// `once` each is sent once, in order, until they or the time are at an end. Prints one JSON line:
// requests, rate (1/s), p50/p99 (µs), errors (status ≥ 400), first error's status.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bench_http_load: %s\n", why.c_str());
  std::exit(1);
}

std::string read_all(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) die(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> read_requests(const char* path) {
  const std::string all = read_all(path);
  std::vector<std::string> requests;
  for (size_t at = 0; at + 4 <= all.size();) {
    uint32_t size = 0;
    std::memcpy(&size, all.data() + at, 4);
    if (all.size() - at - 4 < size) die("the request file is cut short");
    requests.push_back(all.substr(at + 4, size));
    at += 4 + size;
  }
  if (requests.empty()) die(std::string("no requests in ") + path);
  return requests;
}

class Connection {
 public:
  Connection(const char* host, int port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("HOST must be an IPv4 address");
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      die("cannot connect");
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The status of the answer.
  int exchange(const std::string& request, const std::string& body) {
    send_all(request, body.empty() ? 0 : MSG_MORE);
    send_all(body, 0);
    size_t head = std::string::npos;
    while ((head = buffer_.find("\r\n\r\n")) == std::string::npos) fill();
    head += 4;
    const std::string_view headers(buffer_.data(), head);
    const int status = std::atoi(buffer_.c_str() + 9);
    size_t length = 0;
    bool chunked = false;
    for (size_t line = headers.find("\r\n") + 2; line + 2 < head;
         line = headers.find("\r\n", line) + 2) {
      const char* text = headers.data() + line;
      if (::strncasecmp(text, "content-length:", 15) == 0)
        length = std::strtoull(text + 15, nullptr, 10);
      if (::strncasecmp(text, "transfer-encoding: chunked", 26) == 0) chunked = true;
    }
    if (chunked) {
      size_t end = std::string::npos;
      while ((end = buffer_.find("0\r\n\r\n", head)) == std::string::npos) fill();
      buffer_.erase(0, end + 5);
      return status;
    }
    const size_t held = std::min(buffer_.size(), head + length);
    buffer_.erase(0, held);
    skip(head + length - held);
    return status;
  }

 private:
  void send_all(const std::string& bytes, int flags) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | flags);
      if (n <= 0) die("the connection was cut while sending");
      at += static_cast<size_t>(n);
    }
  }
  // The rest of a large answer, kept nowhere: MSG_TRUNC drops it in the kernel, so that both sides'
  // figures are the servers'.
  void skip(size_t bytes) {
    while (bytes > 0) {
      const ssize_t n = ::recv(fd_, nullptr, std::min<size_t>(bytes, 1 << 20), MSG_TRUNC);
      if (n <= 0) die("the server closed the connection");
      bytes -= static_cast<size_t>(n);
    }
  }
  void fill() {
    char chunk[64 << 10];
    const ssize_t n = ::recv(fd_, chunk, sizeof chunk, 0);
    if (n <= 0) die("the server closed the connection");
    buffer_.append(chunk, static_cast<size_t>(n));
  }
  int fd_ = -1;
  std::string buffer_;
};

struct Tally {
  std::vector<uint32_t> nanos;
  uint64_t errors = 0;
  int first_error = 0;
};

double at_quantile(const std::vector<uint32_t>& sorted, double q) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1,
                         static_cast<size_t>(q * static_cast<double>(sorted.size())))] /
         1e3;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7 || argc > 9)
    die("usage: bench_http_load HOST PORT REQUESTS CONNECTIONS SECONDS SEED [BODY [once]]");
  const auto requests = read_requests(argv[3]);
  const int connections = std::atoi(argv[4]);
  const double seconds = std::atof(argv[5]);
  const std::string body = argc > 7 ? read_all(argv[7]) : std::string();
  const bool once = argc > 8;
  std::atomic<size_t> next = 0;
  std::vector<Tally> tallies(static_cast<size_t>(connections));
  const auto start = Clock::now();
  const auto stop = start + std::chrono::duration<double>(seconds);
  std::vector<std::thread> threads;
  threads.reserve(tallies.size());
  for (int i = 0; i < connections; ++i) {
    threads.emplace_back([&, i] {
      Connection connection(argv[1], std::atoi(argv[2]));
      std::mt19937_64 random(static_cast<uint64_t>(std::atoll(argv[6])) * 1000 +
                             static_cast<uint64_t>(i));
      Tally& tally = tallies[static_cast<size_t>(i)];
      for (auto now = Clock::now(); now < stop;) {
        const size_t which = once ? next++ : random() % requests.size();
        if (which >= requests.size()) break;
        const int status = connection.exchange(requests[which], body);
        const auto done = Clock::now();
        tally.nanos.push_back(
            static_cast<uint32_t>(std::min<int64_t>((done - now).count(), UINT32_MAX)));
        if (status >= 400) {
          if (tally.errors++ == 0) tally.first_error = status;
        }
        now = done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  Tally all;
  for (const Tally& tally : tallies) {
    all.nanos.insert(all.nanos.end(), tally.nanos.begin(), tally.nanos.end());
    all.errors += tally.errors;
    if (all.first_error == 0) all.first_error = tally.first_error;
  }
  std::sort(all.nanos.begin(), all.nanos.end());
  std::printf(
      "{\"requests\":%zu,\"rate\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"errors\":%llu,\"first_"
      "error\":%d}\n",
      all.nanos.size(), static_cast<double>(all.nanos.size()) / elapsed,
      at_quantile(all.nanos, 0.5), at_quantile(all.nanos, 0.99),
      static_cast<unsigned long long>(all.errors), all.first_error);
}
