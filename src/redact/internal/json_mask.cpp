// Only lines that a secret was found in come here, so this may cost a pass over the line. The pass
// is a parser of its own because it needs where each token is, which simdjson's On-Demand does not
// say of what it skips.
#include "redact/internal/json_mask.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "redact/internal/secret_text.h"

namespace pmx::redact::internal {
namespace {

struct Token {
  enum class Kind : std::uint8_t { kKey, kString, kScalar } kind;
  std::size_t begin, end;  // Without quotes.
};

constexpr std::size_t kMaxDepth = 1024;  // As simdjson's: what is deeper is text.

class Tokens {
 public:
  explicit Tokens(std::string_view line) : line_(line) {}

  // False: not one whole JSON object or array.
  bool read() {
    at_ = skip_spaces(line_, 0);
    if (at_ == line_.size() || (line_[at_] != '{' && line_[at_] != '[')) return false;
    do {
      if (!step()) return false;
      at_ = skip_spaces(line_, at_);
    } while (!open_.empty());
    return at_ == line_.size();
  }
  const std::vector<Token>& tokens() const { return tokens_; }

 private:
  enum class Wants : std::uint8_t { kValue, kFirstKey, kKey, kColon, kFirstItem, kMore };

  bool step() {
    if (at_ == line_.size()) return false;
    const char c = line_[at_];
    switch (wants_) {
      case Wants::kFirstKey:
        if (c == '}') return close(c);
        [[fallthrough]];
      case Wants::kKey:
        return c == '"' && string(Token::Kind::kKey, Wants::kColon);
      case Wants::kColon:
        return punctuation(c == ':', Wants::kValue);
      case Wants::kFirstItem:
        if (c == ']') return close(c);
        [[fallthrough]];
      case Wants::kValue:
        return value(c);
      case Wants::kMore:
        if (c == '}' || c == ']') return close(c);
        return punctuation(c == ',', open_.back() == '}' ? Wants::kKey : Wants::kValue);
    }
    return false;
  }
  bool punctuation(bool right, Wants next) {
    ++at_;
    wants_ = next;
    return right;
  }
  bool value(char c) {
    if (c == '"') return string(Token::Kind::kString, Wants::kMore);
    if (c != '{' && c != '[') return scalar();
    open_.push_back(c == '{' ? '}' : ']');
    return punctuation(open_.size() <= kMaxDepth, c == '{' ? Wants::kFirstKey : Wants::kFirstItem);
  }
  bool close(char c) {
    if (open_.back() != c) return false;
    open_.pop_back();
    return punctuation(true, Wants::kMore);
  }
  bool string(Token::Kind kind, Wants next) {
    const std::size_t begin = at_ + 1;
    std::size_t end = begin;
    while (end < line_.size() && line_[end] != '"') end += line_[end] == '\\' ? 2U : 1U;
    if (end >= line_.size()) return false;
    tokens_.push_back({kind, begin, end});
    at_ = end;
    return punctuation(true, next);
  }
  bool scalar() {
    const std::size_t end = std::min(line_.find_first_of(" \t\r\n,:{}[]\"", at_), line_.size());
    const std::string_view word = line_.substr(at_, end - at_);
    const bool number = !word.empty() && word.find_first_not_of("0123456789+-.eE") == word.npos;
    if (!number && word != "true" && word != "false" && word != "null") return false;
    tokens_.push_back({Token::Kind::kScalar, at_, end});
    at_ = end;
    wants_ = Wants::kMore;
    return true;
  }

  std::string_view line_;
  std::size_t at_ = 0;
  Wants wants_ = Wants::kValue;
  std::string open_;  // The brackets that are to come.
  std::vector<Token> tokens_;
};

// The part of a string, not beginning nor ending within an escape.
Secret whole_escapes(std::string_view line, const Token& string, Secret part) {
  std::size_t at = string.begin;
  std::size_t begin = string.end, end = string.end;
  while (at < string.end) {
    const std::size_t size = line[at] != '\\' ? 1 : line[at + 1] == 'u' ? 6 : 2;
    if (at + size > part.begin && begin == string.end) begin = at;
    if (at >= part.end) {
      end = at;
      break;
    }
    at += size;
  }
  return {begin, std::min(end, string.end)};
}

void fit(std::string_view line, const std::vector<Token>& tokens, const Secret& part,
         std::vector<Secret>& fitted) {
  auto token = std::partition_point(tokens.begin(), tokens.end(),
                                    [&](const Token& t) { return t.end <= part.begin; });
  for (; token != tokens.end() && token->begin < part.end; ++token) {
    const bool inside = part.begin >= token->begin && part.end <= token->end;
    if (token->kind == Token::Kind::kScalar) {
      fitted.push_back({token->begin, token->end, 0});
    } else if (token->kind == Token::Kind::kString || inside) {
      fitted.push_back(whole_escapes(line, *token, part));
    }
  }
}

}  // namespace

void fit_to_json(std::string_view line, std::vector<Secret>& secrets) {
  Tokens tokens(line);
  if (!tokens.read()) return;
  std::vector<Secret> fitted;
  for (const Secret& secret : secrets) {
    if (secret.backslashes == Secret::kText) {
      fit(line, tokens.tokens(), secret, fitted);
    } else {
      fitted.push_back(secret);
    }
  }
  secrets = std::move(fitted);
}

}  // namespace pmx::redact::internal
