// A closed-loop HTTP/1.1 load generator: the same client for us and for every peer.
//
//   bench_http_load HOST PORT REQUESTS CONNECTIONS SECONDS SEED [BODY [once]]
//
// REQUESTS is a file of raw requests, each preceded by its length (uint32, little endian). Each
// connection sends one of them, drawn uniformly, and reads the answer (Content-Length or chunked)
// before the next. A thread a core looks after its share of the connections, so that they cost as
// little as can be of the cores that they share with the server. The bytes of the file BODY follow
// each request; with `once` each is sent once, in order, until they or the time are at an end.
// Prints one JSON line: requests, rate (1/s), p50/p99 (µs), errors (status ≥ 400), first error's
// status.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <strings.h>
#include <sys/epoll.h>
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
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
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

  int fd() const { return fd_; }

  void begin(const std::string& request, const std::string& body) {
    begun_ = Clock::now();
    send_all(request, body.empty() ? 0 : MSG_MORE);
    send_all(body, 0);
  }
  Clock::time_point begun() const { return begun_; }

  // Receives once; the status when the answer is whole.
  std::optional<int> receive() {
    if (left_ > 0) {
      skip();
    } else {
      fill();
      if (status_ == 0) read_head();
      if (chunked_ && status_ > 0) find_end();
    }
    if (status_ == 0 || left_ > 0 || chunked_) return std::nullopt;
    return std::exchange(status_, 0);
  }

 private:
  void send_all(const std::string& bytes, int flags) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | flags);
      if (n <= 0) die("the connection was cut while sending");
      at += static_cast<size_t>(n);
    }
  }
  // Only when the head is whole: sets status_, and left_ or chunked_.
  void read_head() {
    const size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string_view headers(buffer_.data(), end + 2);
    status_ = std::atoi(buffer_.c_str() + 9);
    size_t length = 0;
    for (size_t line = headers.find("\r\n") + 2; line < headers.size();
         line = headers.find("\r\n", line) + 2) {
      const char* text = headers.data() + line;
      if (::strncasecmp(text, "content-length:", 15) == 0)
        length = std::strtoull(text + 15, nullptr, 10);
      if (::strncasecmp(text, "transfer-encoding: chunked", 26) == 0) chunked_ = true;
    }
    buffer_.erase(0, end + 4);
    if (chunked_) return;
    const size_t held = std::min(buffer_.size(), length);
    buffer_.erase(0, held);
    left_ = length - held;
  }
  void find_end() {
    const size_t end = buffer_.find("0\r\n\r\n");
    if (end == std::string::npos) return;
    buffer_.erase(0, end + 5);
    chunked_ = false;
  }
  // The rest of a large answer, kept nowhere: MSG_TRUNC drops it in the kernel, so that both sides'
  // figures are the servers'.
  void skip() {
    const ssize_t n = ::recv(fd_, nullptr, std::min<size_t>(left_, 1 << 20), MSG_TRUNC);
    if (n <= 0) die("the server closed the connection");
    left_ -= static_cast<size_t>(n);
  }
  void fill() {
    char chunk[64 << 10];
    const ssize_t n = ::recv(fd_, chunk, sizeof chunk, 0);
    if (n <= 0) die("the server closed the connection");
    buffer_.append(chunk, static_cast<size_t>(n));
  }
  int fd_ = -1;
  std::string buffer_;
  Clock::time_point begun_;
  int status_ = 0;   // of the answer under way, once its head came
  size_t left_ = 0;  // bytes of its body
  bool chunked_ = false;
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

// What all threads share; `next` hands out the requests where each is sent once.
struct Load {
  const char* host;
  int port;
  std::vector<std::string> requests;
  std::string body;
  bool once;
  Clock::time_point stop;
  std::atomic<size_t> next = 0;
};

// One thread's connections.
class Worker {
 public:
  Worker(Load& load, int connections, uint64_t seed) : load_(load), random_(seed) {
    for (int i = 0; i < connections; ++i)
      connections_.push_back(std::make_unique<Connection>(load.host, load.port));
  }
  Tally tally;

  void run() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (auto& connection : connections_) {
      epoll_event wanted{};
      wanted.events = EPOLLIN;
      wanted.data.ptr = connection.get();
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd(), &wanted) != 0) die("epoll_ctl");
      begin(*connection);
    }
    while (open_ > 0) {
      if (connections_.size() == 1) {  // nothing to choose from
        receive(*connections_.front());
        continue;
      }
      epoll_event ready[64];
      const int count = ::epoll_wait(epoll_, ready, 64, -1);
      for (int i = 0; i < count; ++i) receive(*static_cast<Connection*>(ready[i].data.ptr));
    }
    ::close(epoll_);
  }

 private:
  void begin(Connection& connection) {
    const size_t which = load_.once ? load_.next++ : random_() % load_.requests.size();
    if (which >= load_.requests.size() || Clock::now() >= load_.stop) return;
    ++open_;
    connection.begin(load_.requests[which], load_.body);
  }
  void receive(Connection& connection) {
    const auto status = connection.receive();
    if (!status) return;
    --open_;
    tally.nanos.push_back(static_cast<uint32_t>(
        std::min<int64_t>((Clock::now() - connection.begun()).count(), UINT32_MAX)));
    if (*status >= 400 && tally.errors++ == 0) tally.first_error = *status;
    begin(connection);
  }

  Load& load_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Connection>> connections_;
  int epoll_ = -1;
  size_t open_ = 0;  // connections with a request under way
};

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7 || argc > 9)
    die("usage: bench_http_load HOST PORT REQUESTS CONNECTIONS SECONDS SEED [BODY [once]]");
  Load load{.host = argv[1],
            .port = std::atoi(argv[2]),
            .requests = read_requests(argv[3]),
            .body = argc > 7 ? read_all(argv[7]) : std::string(),
            .once = argc > 8,
            .stop = {}};
  const int connections = std::atoi(argv[4]), threads = std::min(connections, cores());
  const auto seed = static_cast<uint64_t>(std::atoll(argv[6])) * 1000;
  std::vector<std::unique_ptr<Worker>> workers;
  workers.reserve(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i)
    workers.push_back(std::make_unique<Worker>(load, (connections + i) / threads,
                                               seed + static_cast<uint64_t>(i)));
  const auto start = Clock::now();
  load.stop = start + std::chrono::duration_cast<Clock::duration>(
                          std::chrono::duration<double>(std::atof(argv[5])));
  std::vector<std::thread> running;
  running.reserve(workers.size());
  for (auto& worker : workers) running.emplace_back([&worker] { worker->run(); });
  for (auto& thread : running) thread.join();
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  Tally all;
  for (const auto& worker : workers) {
    const Tally& tally = worker->tally;
    all.nanos.insert(all.nanos.end(), tally.nanos.begin(), tally.nanos.end());
    all.errors += tally.errors;
    if (all.first_error == 0) all.first_error = tally.first_error;
  }
  std::sort(all.nanos.begin(), all.nanos.end());
  std::printf(
      "{\"requests\":%zu,\"rate\":%.4f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"errors\":%llu,\"first_"
      "error\":%d}\n",
      all.nanos.size(), static_cast<double>(all.nanos.size()) / elapsed,
      at_quantile(all.nanos, 0.5), at_quantile(all.nanos, 0.99),
      static_cast<unsigned long long>(all.errors), all.first_error);
}
