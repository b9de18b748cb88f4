#include <algorithm>
#include <array>

#include "base/log.h"
#include "net/connect.h"
#include "net/mqtt/net_client.h"

namespace holdfast::mqtt {
namespace {

constexpr size_t kReadSize = 4 << 10;
constexpr size_t kPacketOverhead = 66 << 10;
// Messages that came and were not yet handled; the server's own window is far smaller.
constexpr size_t kInboundLimit = 1000;

Error refused(ConnectCode code) {
  switch (code) {
    case ConnectCode::bad_credentials:
    case ConnectCode::not_authorized:
      return Error(Code::denied, "the server refuses these credentials");
    case ConnectCode::bad_client_id:
      return Error(Code::invalid_argument, "the server refuses this client id");
    case ConnectCode::bad_protocol:
      return Error(Code::unsupported, "the server does not speak MQTT 3.1.1");
    default:
      return Error(Code::unavailable, "the server takes no connection now");
  }
}

}  // namespace

void ClientState::abort(Error reason) {
  if (!why) why = std::move(reason);
  if (stream) stream->abort();
}

Task<Result<void>> ClientState::connect_once() {
  deadline = std::chrono::steady_clock::now() + options.connect_timeout;
  tick.cancel();
  Credentials credentials;
  if (options.credentials) {
    CO_TRY(credentials, co_await options.credentials());
  }
  if (why) co_return std::unexpected(*why);  // stopped, or told to connect again, meanwhile
  auto wire = std::make_shared<Stream>(boost::asio::ip::tcp::socket(executor));
  stream = wire;
  ++generation;
  closing = false;
  buffer.clear();
  out.clear();
  pong_deadline = MonoTime::max();
  CO_TRY_VOID(co_await connect(*wire, options.host, options.port));
  if (why) co_return std::unexpected(*why);
  if (options.tls) {
    const std::string& name = options.tls_name.empty() ? options.host : options.tls_name;
    CO_TRY_VOID(co_await wire->handshake_client(options.tls, name));
  }
  CO_TRY_VOID(co_await greet(*wire, std::move(credentials)));
  deadline = MonoTime::max();
  if (!renewing) up();
  auto ended = co_await serve(*wire);
  deadline = MonoTime::max();
  wire->abort();
  co_return ended;
}

Task<Result<void>> ClientState::greet(Stream& to, Credentials credentials) {
  Connect request;
  request.client_id = options.client_id;
  request.clean_session = options.clean_session;
  request.keep_alive =
      static_cast<uint16_t>(std::clamp<int64_t>(options.keep_alive.count(), 0, 0xFFFF));
  request.will = options.will;
  if (!credentials.username.empty()) request.username = std::move(credentials.username);
  if (!credentials.password.empty()) request.password = std::move(credentials.password);
  const std::string bytes = encode(request);
  CO_TRY_VOID(co_await to.write(as_bytes(bytes)));
  CO_TRY(const Packet answer, co_await next(to));
  const auto* connack = std::get_if<Connack>(&answer);
  if (connack == nullptr) co_return fail(Code::unavailable, "the server's answer is not CONNACK");
  if (connack->code != ConnectCode::accepted) co_return std::unexpected(refused(connack->code));
  last_sent = std::chrono::steady_clock::now();
  if (!connack->session_present && !subscriptions.empty()) {
    renewing = free_id();
    write(encode(Subscribe{*renewing, subscriptions}));
  }
  co_return Result<void>();
}

Task<Result<Packet>> ClientState::next(Stream& from) {
  for (;;) {
    if (!buffer.empty()) {
      CO_TRY(auto decoded, decode(buffer, options.max_payload + kPacketOverhead));
      if (decoded) {
        buffer.erase(0, decoded->size);
        if (buffer.empty() && buffer.capacity() > kReadSize) buffer.shrink_to_fit();
        co_return std::move(decoded->packet);
      }
    }
    std::array<std::byte, kReadSize> piece;
    CO_TRY(const size_t count, co_await from.read_some(piece));
    if (count == 0) co_return fail(Code::unavailable, "the server closed the connection");
    buffer += as_text(ByteView(piece).first(count));
  }
}

Task<Result<void>> ClientState::serve(Stream& from) {
  for (;;) {
    CO_TRY(Packet packet, co_await next(from));
    CO_TRY_VOID(take_packet(std::move(packet)));
  }
}

void ClientState::settle(Call::Kind kind, uint16_t id, Result<void> outcome) {
  if (auto call = take(kind, id)) {
    if (kind == Call::subscribe && outcome) {
      std::erase_if(subscriptions, [&](const auto& s) { return s.filter == call->wanted.filter; });
      subscriptions.push_back(call->wanted);
    }
    finish(call, std::move(outcome));
  }
  pump();
}

Result<void> ClientState::take_packet(Packet packet) {
  if (auto* message = std::get_if<Publish>(&packet)) {
    if (inbound.size() >= kInboundLimit) {
      if (message->qos == Qos::at_least_once)
        return fail(Code::unavailable, "more messages than can be handled");
      log::warning("mqtt", "a QoS 0 message was dropped: too many wait",
                   {{"client", options.client_id}});
      return {};
    }
    inbound.push_back(std::move(*message));
    if (!std::exchange(delivering, true)) group.spawn(executor, "mqtt deliver", deliver());
  } else if (const auto* puback = std::get_if<Puback>(&packet)) {
    settle(Call::publish, puback->id, {});
  } else if (const auto* suback = std::get_if<Suback>(&packet)) {
    if (renewing == suback->id) {
      renewing.reset();
      up();
    } else if (suback->codes[0] == kRefused) {
      settle(Call::subscribe, suback->id, fail(Code::denied, "the server refuses the filter"));
    } else {
      settle(Call::subscribe, suback->id, {});
    }
  } else if (const auto* unsuback = std::get_if<Unsuback>(&packet)) {
    settle(Call::unsubscribe, unsuback->id, {});
  } else if (std::holds_alternative<Pingresp>(packet)) {
    pong_deadline = MonoTime::max();
  } else {
    return fail(Code::invalid_argument, "a packet that a server must not send now");
  }
  return {};
}

Task<void> ClientState::deliver() {
  const auto self = shared_from_this();
  while (!inbound.empty() && !stopping) {
    Publish message = std::move(inbound.front());
    inbound.pop_front();
    const uint16_t id = message.id;
    const Qos qos = message.qos;
    const uint64_t arrived = generation;
    Result<void> taken;
    if (options.on_message) taken = co_await options.on_message(std::move(message));
    if (!taken) {
      log::warning("mqtt", "a message was not taken",
                   {{"client", options.client_id}, {"error", taken.error().message()}});
    } else if (qos == Qos::at_least_once && arrived == generation && stream && !closing) {
      write(encode(Puback{id}));
    }
  }
  delivering = false;
}

void ClientState::write(std::string bytes) {
  out += bytes;
  if (std::exchange(flushing, true)) return;
  group.spawn(executor, "mqtt write", flush(stream));
}

Task<void> ClientState::flush(std::shared_ptr<Stream> to) {
  const auto self = shared_from_this();
  while (!out.empty() && to && to == stream) {
    const std::string batch = std::exchange(out, {});
    const auto sent = std::exchange(to_write, {});
    const auto written = co_await to->write(as_bytes(batch));
    last_sent = std::chrono::steady_clock::now();
    for (const auto& call : sent)
      finish(call, written ? Result<void>() : std::unexpected(written.error()));
    if (!written) {
      to->abort();
      break;
    }
  }
  flushing = false;
  if (closing && to && to == stream) to->abort();
  // A connection that was made while the last one's bytes were under way.
  if (!out.empty() && stream && to != stream) {
    flushing = true;
    group.spawn(executor, "mqtt write", flush(stream));
  }
}

}  // namespace holdfast::mqtt
