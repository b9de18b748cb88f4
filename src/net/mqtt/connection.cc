#include "net/mqtt/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/log.h"

namespace holdfast::mqtt {
namespace {

namespace asio = boost::asio;

constexpr size_t kReadSize = 4 << 10;
// Before CONNECT is accepted, nobody may make us keep more.
constexpr size_t kConnectLimit = 64 << 10;
// Topic, packet id and lengths beside the payload.
constexpr size_t kPacketOverhead = 66 << 10;
constexpr size_t kBatch = 256 << 10;
// Answers that the peer does not read.
constexpr size_t kUnreadLimit = 1 << 20;
constexpr auto kWriteTimeout = std::chrono::seconds(60);

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Executor executor, Host& host)
    : host_(host),
      executor_(std::move(executor)),
      stream_(std::move(socket)),
      changed_(executor_, asio::steady_timer::time_point::max()) {
  boost::system::error_code error;
  const auto remote = stream_.socket().remote_endpoint(error);
  if (!error) peer_.address = remote.address().to_string() + ":" + std::to_string(remote.port());
  peer_.tls = host_.options().tls != nullptr;
  deadline_ = host_.clock().monotonic() + host_.options().connect_timeout;
}

void Connection::kick() {
  if (kicked_.exchange(true)) return;
  asio::post(executor_, [self = shared_from_this()] {
    self->kicked_ = false;
    self->flush_soon();
  });
}

void Connection::end(Ended how, std::string_view why) {
  asio::post(executor_,
             [self = shared_from_this(), how, text = std::string(why)] { self->abort(how, text); });
}

void Connection::abort(Ended how, std::string_view why) {
  if (over_) return;
  over_ = true;
  how_ = how;
  why_ = why;
  stream_.abort();
  changed();
}

void Connection::stop() {
  stopping_ = true;
  if (idle()) abort(Ended::closed_here, "the server stops");
}

void Connection::check(MonoTime now, WallTime wall) {
  if (expires_ && wall >= *expires_) {
    abort(Ended::closed_here, "the credentials have expired");
  } else if (now >= write_deadline_) {
    abort(Ended::lost, "the peer takes no bytes");
  } else if (now >= deadline_ && unanswered_.empty()) {
    abort(Ended::lost, session_ ? "silent for 1.5 x its keep-alive" : "no CONNECT in time");
  }
}

Task<void> Connection::until(bool (Connection::*reached)() const) {
  while (!(this->*reached)()) co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
}

Task<Result<Packet>> Connection::next(size_t limit) {
  for (;;) {
    if (!buffer_.empty()) {
      CO_TRY(auto decoded, decode(buffer_, limit));
      if (decoded) {
        buffer_.erase(0, decoded->size);
        if (buffer_.empty() && buffer_.capacity() > kReadSize) buffer_.shrink_to_fit();
        co_return std::move(decoded->packet);
      }
    }
    std::array<std::byte, kReadSize> piece;
    CO_TRY(const size_t count, co_await stream_.read_some(piece));
    if (count == 0) co_return fail(Code::unavailable, "the connection was closed by the peer");
    buffer_ += as_text(ByteView(piece).first(count));
  }
}

Task<Result<void>> Connection::refuse(ConnectCode code, std::string why) {
  const std::string bytes = encode(Connack{false, code});
  (void)co_await stream_.write(as_bytes(bytes));
  co_return fail(Code::denied, std::move(why));
}

Task<Result<void>> Connection::open() {
  if (host_.options().tls) {
    CO_TRY_VOID(co_await stream_.handshake_server(host_.options().tls));
  }
  auto first = co_await next(kConnectLimit);
  if (!first && first.error().reason() == "protocol_level")
    co_return co_await refuse(ConnectCode::bad_protocol, first.error().message());
  if (!first) co_return std::unexpected(first.error());
  auto* request = std::get_if<Connect>(&*first);
  if (request == nullptr) co_return fail(Code::invalid_argument, "the first packet is not CONNECT");
  if (request->client_id.empty() && !request->clean_session)
    co_return co_await refuse(ConnectCode::bad_client_id, "a kept session without a client id");
  if (request->client_id.empty()) request->client_id = random_uuid();
  if (host_.crowded())
    co_return co_await refuse(ConnectCode::unavailable, "this server has all its connections");
  auto answer = co_await host_.handler().connect(*request, peer_);
  if (answer.code != ConnectCode::accepted)
    co_return co_await refuse(answer.code, "the client was refused");
  if (over_ || host_.stopping()) co_return fail(Code::cancelled, "the server stops");
  expires_ = answer.expires;
  const std::chrono::nanoseconds wanted = std::chrono::milliseconds(1500) * request->keep_alive;
  const std::chrono::nanoseconds longest = host_.options().longest_silence;
  silence_ = request->keep_alive == 0 ? longest : std::min(wanted, longest);
  deadline_ = host_.clock().monotonic() + silence_;
  will_ = std::move(request->will);
  auto [session, present] = host_.join(*request, std::move(answer), shared_from_this());
  session_ = std::move(session);
  answer_connack(present);
  co_return Result<void>();
}

Task<void> Connection::serve() {
  const size_t limit = host_.options().max_payload + kPacketOverhead;
  while (!over_ && !stopping_) {
    auto packet = co_await next(limit);
    if (!packet) {
      abort(Ended::lost, packet.error().message());
      co_return;
    }
    deadline_ = host_.clock().monotonic() + silence_;
    const auto taken = co_await take(std::move(*packet));
    if (!taken) abort(Ended::lost, taken.error().message());
    if (taken && !*taken) abort(Ended::by_client, "");
  }
}

Task<Result<bool>> Connection::take(Packet packet) {
  if (auto* message = std::get_if<Publish>(&packet)) {
    if (message->payload.size() > host_.options().max_payload)
      co_return fail(Code::too_large, "a message larger than the limit");
    co_await until(&Connection::room);
    auto place = std::make_shared<Unanswered>();
    place->id = message->id;
    unanswered_.push_back(place);
    host_.spawn(executor_, "mqtt publish", publish(std::move(*message), std::move(place)));
  } else if (auto* puback = std::get_if<Puback>(&packet)) {
    if (auto call = session_->acknowledged(puback->id)) call();
    flush_soon();
  } else if (auto* wanted = std::get_if<Subscribe>(&packet)) {
    CO_TRY_VOID(co_await subscribe(std::move(*wanted)));
  } else if (auto* unwanted = std::get_if<Unsubscribe>(&packet)) {
    CO_TRY_VOID(co_await unsubscribe(std::move(*unwanted)));
  } else if (std::holds_alternative<Pingreq>(packet)) {
    answer(encode(Pingresp{}));
  } else if (std::holds_alternative<Disconnect>(packet)) {
    co_return false;
  } else {
    co_return fail(Code::invalid_argument, "a packet that a client must not send now");
  }
  co_return true;
}

Task<Result<void>> Connection::subscribe(Subscribe packet) {
  Suback out;
  out.id = packet.id;
  std::vector<Subscription> granted;
  for (auto& wanted : packet.filters) {
    uint8_t code = kRefused;
    const auto had = session_->subscriptions();
    const bool known = std::any_of(had.begin(), had.end(), [&](const Subscription& each) {
      return each.filter == wanted.filter;
    });
    if (known || had.size() < host_.options().max_subscriptions)
      code = co_await host_.handler().subscribe(session_, wanted);
    out.codes.push_back(code);
    if (code == kRefused) continue;
    wanted.qos = code == 0 ? Qos::at_most_once : Qos::at_least_once;
    session_->subscribe(wanted);
    granted.push_back(std::move(wanted));
  }
  answer(encode(out));
  for (const auto& each : granted) host_.handler().subscribed(session_, each);
  co_return Result<void>();
}

Task<Result<void>> Connection::unsubscribe(Unsubscribe packet) {
  for (auto& filter : packet.filters) {
    session_->unsubscribe(filter);
    co_await host_.handler().unsubscribe(session_, std::move(filter));
  }
  answer(encode(Unsuback{packet.id}));
  co_return Result<void>();
}

Task<void> Connection::publish(Publish message, std::shared_ptr<Unanswered> place) {
  const auto self = shared_from_this();
  auto taken = co_await host_.handler().publish(session_, std::move(message));
  place->done = true;
  if (!taken) abort(Ended::lost, "a message was refused: " + taken.error().message());
  // 4.6: acknowledged in the order in which they came; after a refused one, none is.
  std::string bytes;
  while (!unanswered_.empty() && unanswered_.front()->done) {
    if (unanswered_.front()->id != 0 && !over_) bytes += encode(Puback{unanswered_.front()->id});
    unanswered_.pop_front();
  }
  if (!bytes.empty()) answer(std::move(bytes));
  changed();
  if (stopping_ && idle()) stop();
}

void Connection::answer(std::string bytes) {
  out_ += bytes;
  if (out_.size() > kUnreadLimit)
    abort(Ended::lost, "the peer does not read its answers");
  else
    flush_soon();
}

void Connection::answer_connack(bool present) {
  answer(encode(Connack{present, ConnectCode::accepted}));
  host_.handler().connected(session_);
}

void Connection::flush_soon() {
  if (flushing_ || over_) return;
  flushing_ = true;
  host_.spawn(executor_, "mqtt write", flush());
}

Task<void> Connection::flush() {
  const auto self = shared_from_this();
  std::vector<std::function<void()>> sent;
  while (!over_) {
    std::string batch = std::exchange(out_, {});
    if (session_ && batch.size() < kBatch) batch += session_->take(this, kBatch, sent);
    if (batch.empty()) break;
    write_deadline_ = host_.clock().monotonic() + kWriteTimeout;
    const auto written = co_await stream_.write(as_bytes(batch));
    write_deadline_ = MonoTime::max();
    if (!written) {
      abort(Ended::lost, written.error().message());
      break;
    }
    for (auto& call : sent) call();
    sent.clear();
  }
  flushing_ = false;
  changed();
  if (stopping_ && idle()) stop();
}

Task<void> Connection::run() {
  if (auto opened = co_await open(); !opened) {
    abort(Ended::lost, opened.error().message());
    log::info("mqtt", "a connection was not accepted",
              {{"server", host_.options().name}, {"peer", peer_.address}, {"why", why_}});
    co_return;
  }
  co_await serve();
  co_await close();
}

// The session goes on without this connection: what came is brought to its end first.
Task<void> Connection::close() {
  co_await until(&Connection::idle);
  abort(Ended::closed_here, "the server stops");
  const bool mine = session_->detach(this, host_.clock().monotonic());
  if (!mine && how_ != Ended::by_client) how_ = Ended::taken_over;
  if (how_ != Ended::by_client) {
    log::info("mqtt", "a connection ended",
              {{"client", session_->client_id()}, {"peer", peer_.address}, {"why", why_}});
    if (will_ && !host_.stopping()) co_await host_.handler().will(session_, std::move(*will_));
  }
  host_.handler().disconnected(session_, how_);
  if (mine) host_.left(session_);
}

}  // namespace holdfast::mqtt
