// The simplest sink: an item is a line, a group is a stream's name, nothing is compressed unless a
// test says so.
//
// Answers: 204 delivered; 413 split; 401 blocked; 200 with one word an item ("ok", "dup", "later",
// "never"); everything else is retried. Of readiness: 200 with "ready"; 503 with "starting".
#pragma once

#include <algorithm>
#include <map>
#include <sstream>
#include <string>

#include "ship/compress.h"
#include "ship/sink.h"

namespace pmx::test {

class PlainSink final : public ship::Sink {
 public:
  Group group_of(const ship::Event& event) override {
    return event.kind == StreamKind::kOut ? 0 : 1;
  }
  std::string name_of(Group group) const override { return group == 0 ? "out" : "err"; }
  Group group_named(std::string_view name) override { return name == "out" ? 0 : 1; }
  void encode(const ship::Event& event, std::string& out) const override {
    out.append(event.text).append("\n");
  }
  // As another setting of the sink would have it.
  void set_coding(std::string coding) { coding_ = std::move(coding); }
  void set_codec(ship::Codec codec) { codec_ = codec; }
  std::string coding() const override { return coding_; }
  ship::Codec codec() const override { return codec_; }
  ship::Framed frame(Group group, std::string_view items) const override {
    const std::string prefix = "<" + name_of(group) + ">";
    return {ship::compress(codec_, prefix + std::string(items)), codec_,
            static_cast<std::uint32_t>(prefix.size()), 0};
  }
  ship::HttpRequest request(Group group, std::string body, unsigned attempt) const override {
    ship::HttpRequest request;
    request.url = "http://store/" + name_of(group) + "?attempt=" + std::to_string(attempt);
    if (codec_ != ship::Codec::kNone)
      request.headers.emplace_back("Content-Encoding", std::string(content_encoding(codec_)));
    request.body = std::move(body);
    return request;
  }
  ship::Verdict judge(const ship::HttpAnswer& answer, std::span<const ship::Item> items,
                      std::string_view) const override {
    using Kind = ship::Verdict::Kind;
    ship::Verdict verdict;
    if (answer.status == 204) return verdict;
    verdict.why = std::to_string(answer.status) + ": " + answer.body + answer.error;
    verdict.retry_after = answer.retry_after;
    verdict.backpressure = answer.status == 429;
    verdict.kind = answer.status == 413   ? Kind::kSplit
                   : answer.status == 401 ? Kind::kBlocked
                   : answer.status == 200 ? Kind::kItems
                                          : Kind::kRetry;
    if (verdict.kind != Kind::kItems) return verdict;
    std::istringstream words(answer.body);
    for (std::string word; words >> word;) {
      ship::ItemVerdict item;
      using ItemKind = ship::ItemVerdict::Kind;
      item.kind = word == "dup"     ? ItemKind::kDuplicate
                  : word == "later" ? ItemKind::kRetry
                  : word == "never" ? ItemKind::kRefused
                                    : ItemKind::kDelivered;
      item.status = word == "never" ? 400 : 200;
      item.reason = word == "never" ? "not in this house" : "";
      verdict.items.push_back(item);
    }
    verdict.items.resize(items.size());
    return verdict;
  }
  // As a store that may not know a repeat for one.
  void set_asks_first() { asks_first_ = true; }
  std::optional<ship::HttpRequest> readiness_request(unsigned) const override {
    if (!asks_first_) return std::nullopt;
    ship::HttpRequest request;
    request.method = "GET";
    request.url = "http://store/ready";
    return request;
  }
  ship::Readiness readiness(const ship::HttpAnswer& answer) const override {
    if (answer.body == "starting") return ship::Readiness::kStarting;
    if (answer.status == 0 || answer.status >= 500) return ship::Readiness::kAway;
    return answer.body == "ready" ? ship::Readiness::kReady : ship::Readiness::kUnknown;
  }
  std::string text_of(std::string_view item) const override {
    return std::string(item.substr(0, item.size() - 1));
  }

 private:
  bool asks_first_ = false;
  std::string coding_ = "plain";
  ship::Codec codec_ = ship::Codec::kNone;
};

}  // namespace pmx::test
