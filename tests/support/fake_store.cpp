#include "support/fake_store.h"

#include <snappy.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/check.h"

namespace pmx::test {
namespace {

std::string gunzip(std::string_view packed) {
  z_stream stream{};
  PMX_CHECK(inflateInit2(&stream, 15 + 32) == Z_OK);  // 32: gzip or zlib, by its header.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, 65536> piece;
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  PMX_CHECK(result == Z_STREAM_END);
  return out;
}

std::string unzstd(std::string_view packed) {
  const auto free_stream = [](ZSTD_DStream* stream) { ZSTD_freeDStream(stream); };
  const std::unique_ptr<ZSTD_DStream, decltype(free_stream)> stream(ZSTD_createDStream(),
                                                                    free_stream);
  std::string out;
  std::array<char, 65536> piece;
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t left = 1;
  while (left != 0) {
    ZSTD_outBuffer room{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(stream.get(), &room, &in);
    PMX_CHECK(!ZSTD_isError(left));
    PMX_CHECK(left == 0 || room.pos > 0 || in.pos < in.size);
    out.append(piece.data(), room.pos);
  }
  return out;
}

std::string unsnappy(std::string_view packed) {
  std::string out;
  PMX_CHECK(snappy::Uncompress(packed.data(), packed.size(), &out));
  return out;
}

std::string header(const ship::HttpRequest& request, const char* name) {
  for (const auto& [key, value] : request.headers)
    if (::strcasecmp(key.c_str(), name) == 0) return value;
  return "";
}

}  // namespace

std::string decoded_body(const ship::HttpRequest& request) {
  const std::string encoding = header(request, "Content-Encoding");
  if (encoding == "gzip") return gunzip(request.body);
  if (encoding == "zstd") return unzstd(request.body);
  // Loki takes snappy without being told: its protobuf is never without.
  if (encoding == "snappy" || header(request, "Content-Type") == "application/x-protobuf")
    return unsnappy(request.body);
  PMX_CHECK(encoding.empty() || encoding == "identity");
  return request.body;
}

StoreReply ok() { return status(204); }

StoreReply status(int code, std::string body) {
  StoreReply reply;
  reply.answer.status = code;
  reply.answer.body = std::move(body);
  return reply;
}

StoreReply no_answer(std::string error, Sent sent) {
  StoreReply reply;
  reply.answer.error = std::move(error);
  reply.answer.sent = sent == Sent::kYes;
  return reply;
}

StoreReply StoreReply::retry_after(std::chrono::milliseconds wait) && {
  answer.retry_after = wait;
  return std::move(*this);
}

StoreReply StoreReply::slow() && {
  held = true;
  return std::move(*this);
}

StoreReply StoreReply::after(std::chrono::nanoseconds wait) && {
  delay = wait;
  return std::move(*this);
}

FakeStore& FakeStore::answer(StoreReply reply) {
  script_.push_back(std::move(reply));
  return *this;
}

FakeStore& FakeStore::times(unsigned count) {
  PMX_CHECK(!script_.empty() && count > 0);
  for (unsigned i = 1; i < count; ++i) script_.push_back(script_.back());
  return *this;
}

FakeStore& FakeStore::otherwise(StoreReply reply) {
  return otherwise([reply](const Received&) { return reply; });
}

FakeStore& FakeStore::otherwise(Script script) {
  otherwise_ = std::move(script);
  return *this;
}

ship::HttpTransport::Id FakeStore::send(ship::HttpRequest request, Done done) {
  const Id id = next_id_++;
  Pending& pending = sent_.emplace_back();
  pending.id = id;
  pending.done = std::move(done);
  pending.request = std::move(request);
  return id;
}

void FakeStore::cancel(Id id) {
  for (auto* list : {&sent_, &waiting_, &ready_})
    std::erase_if(*list, [id](const Pending& pending) { return pending.id == id; });
  const auto delay = delays_.find(id);
  if (delay == delays_.end()) return;
  timers_->cancel(delay->second);
  delays_.erase(delay);
}

StoreReply FakeStore::next_reply(const Received& request) {
  if (script_.empty()) return otherwise_(request);
  StoreReply reply = std::move(script_.front());
  script_.pop_front();
  return reply;
}

void FakeStore::receive(Pending pending) {
  const ship::HttpRequest& request = pending.request;
  Received& received = received_.emplace_back();
  received.method = request.method;
  received.url = request.url;
  received.headers.insert(request.headers.begin(), request.headers.end());
  received.body = decoded_body(request);
  received.raw_body = request.body;
  received.timeout = request.timeout;
  StoreReply reply = next_reply(received);
  if (reply.answer.status == 0 && !reply.answer.sent) {
    received_.pop_back();  // Nothing of it has arrived.
  } else {
    received.status = reply.answer.status;
  }
  pending.request = {};
  pending.answer = std::move(reply.answer);
  pending.held = reply.held;
  const Id id = pending.id;
  if (reply.delay.count() > 0) {
    PMX_CHECK(timers_ != nullptr);
    delays_[id] = timers_->call_after(reply.delay, [this, id] {
      delays_.erase(id);
      make_ready(id);
    });
  }
  auto& list = reply.held || reply.delay.count() > 0 ? waiting_ : ready_;
  list.push_back(std::move(pending));
}

void FakeStore::make_ready(Id id) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [id](const Pending& pending) { return pending.id == id; });
  if (found == waiting_.end()) return;
  ready_.push_back(std::move(*found));
  waiting_.erase(found);
}

bool FakeStore::run_pending() {
  bool did_something = false;
  while (!sent_.empty() || !ready_.empty()) {
    did_something = true;
    while (!sent_.empty()) {
      Pending pending = std::move(sent_.front());
      sent_.pop_front();
      receive(std::move(pending));
    }
    if (ready_.empty()) continue;
    Pending pending = std::move(ready_.front());
    ready_.pop_front();
    pending.done(std::move(pending.answer));  // May send and cancel.
  }
  return did_something;
}

void FakeStore::release() {
  std::vector<Id> ids;
  for (const Pending& pending : waiting_)
    if (pending.held) ids.push_back(pending.id);
  for (const Id id : ids) make_ready(id);
}

void FakeStore::release_one(std::size_t index) {
  for (const Pending& pending : waiting_)
    if (pending.held && index-- == 0) return make_ready(pending.id);
  PMX_CHECK(!"so many are not held");
}

std::size_t FakeStore::in_flight() const { return sent_.size() + waiting_.size() + ready_.size(); }
std::size_t FakeStore::held() const { return waiting_.size(); }

std::vector<std::string> FakeStore::bodies() const {
  std::vector<std::string> all;
  for (const Received& request : received_) all.push_back(request.body);
  return all;
}

const FakeStore::Received& FakeStore::last() const {
  PMX_CHECK(!received_.empty());
  return received_.back();
}

void FakeStore::forget() { received_.clear(); }

}  // namespace pmx::test
