// The floor for a request over a Unix socket: a bare process that sleeps in recv(), makes the raw
// ONNX Runtime call and answers each message with the same bytes. One client at a time.
//   bench_local_echo SOCKET MODEL      serves until it is killed; prints a line when it listens
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "raw_model.h"

int main(int argc, char** argv) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (argc != 3 || std::strlen(argv[1]) >= sizeof address.sun_path) {
    std::fprintf(stderr, "usage: bench_local_echo SOCKET MODEL\n");
    return 2;
  }
  std::strcpy(address.sun_path, argv[1]);
  RawModel model(argv[2]);
  const int listener = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 1) != 0) {
    std::perror(argv[1]);
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  std::vector<char> message(64 << 10);
  for (;;) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    // Memory that comes with a message is not taken: the answer is all that is asked for here.
    for (ssize_t size = 0; (size = ::recv(client, message.data(), message.size(), 0)) > 0;) {
      model.run();
      if (::send(client, message.data(), static_cast<size_t>(size), MSG_NOSIGNAL) < 0) break;
    }
    ::close(client);
  }
}
