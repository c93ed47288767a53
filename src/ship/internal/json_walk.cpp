#include "ship/internal/json_walk.h"

#include <cstring>
#include <string>

namespace pmx::ship::internal {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr bool is_escaped(char c) {
  return c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' ||
         c == 't';
}

constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 8259, section 6.
bool is_number(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const auto digits = [&p, end] {
    const char* const begin = p;
    while (p < end && is_digit(*p)) ++p;
    return p - begin;
  };
  if (p < end && *p == '-') ++p;
  const bool zero = p < end && *p == '0';
  const auto whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (p < end && *p == '.') {
    ++p;
    if (digits() == 0) return false;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p < end && (*p == '+' || *p == '-')) ++p;
    if (digits() == 0) return false;
  }
  return p == end;
}

bool is_literal(std::string_view text) {
  return text == "true" || text == "false" || text == "null";
}

bool are_escapes(std::string_view raw) {
  for (std::size_t at = 0; (at = raw.find('\\', at)) != std::string_view::npos;) {
    if (++at == raw.size()) return false;
    if (raw[at] != 'u') {
      if (!is_escaped(raw[at++])) return false;
      continue;
    }
    if (raw.size() - at < 5) return false;
    for (std::size_t i = 1; i <= 4; ++i)
      if (hex_digit(raw[at + i]) < 0) return false;
    at += 5;
  }
  return true;
}

char32_t code_unit(std::string_view raw, std::size_t at) {
  char32_t unit = 0;
  for (std::size_t i = 0; i < 4; ++i)
    unit = unit << 4U | static_cast<char32_t>(hex_digit(raw[at + i]));
  return unit;
}

void append_utf8(std::string& out, char32_t point) {
  const auto tail = [&out, point](unsigned shift) {
    out.push_back(static_cast<char>(0x80U | (point >> shift & 0x3FU)));
  };
  if (point < 0x80) return out.push_back(static_cast<char>(point));
  if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0U | point >> 6U));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0U | point >> 12U));
    tail(6);
  } else {
    out.push_back(static_cast<char>(0xF0U | point >> 18U));
    tail(12);
    tail(6);
  }
  tail(0);
}

struct Input {
  const char* text;
  std::uint32_t text_bytes;
  const std::uint32_t* tokens;
  std::uint32_t count;
  JsonWalk::Escapes escapes;
};

// One way through the tokens. Nobody takes its address and every step is inlined, so that it lives
// in registers: through memory each of the 40 tokens of a line waits for the one before.
class Cursor {
 public:
  Cursor(const Input& input, std::uint32_t token)
      : text_(input.text),
        text_bytes_(input.text_bytes),
        tokens_(input.tokens),
        count_(input.count),
        token_(token),
        escapes_(input.escapes) {}

  std::uint32_t token() const { return token_; }
  void go_to(std::uint32_t token) { token_ = token; }
  bool at_end() const { return token_ >= count_; }
  bool at_closing() const { return here() == '}' || here() == ']'; }
  char here() const { return text_[tokens_[token_]]; }
  [[gnu::always_inline]] bool take(char c) {
    if (at_end() || here() != c) return false;
    ++token_;
    return true;
  }
  // Afterwards the value's first token is here, and there is one.
  [[gnu::always_inline]] bool take_key(JsonMember& member) {
    if (token_ + 2 >= count_ || text_[tokens_[token_ + 1]] != ':') return false;
    if (!read_string(member.key, member.key_escaped)) return false;
    token_ += 2;
    return true;
  }
  // A value that holds no others.
  [[gnu::always_inline]] bool take_scalar(JsonMember& member) {
    const char c = here();
    bool good = false;
    if (c == '"') {
      member.kind = JsonKind::kString;
      good = read_string(member.value, member.value_escaped);
    } else {
      member.value = token_text();
      member.value_escaped = false;
      const bool number = c == '-' || is_digit(c);
      member.kind = number ? JsonKind::kNumber : JsonKind::kLiteral;
      good = number ? is_number(member.value) : is_literal(member.value);
    }
    ++token_;
    return good;
  }

 private:
  // From where the token begins to where the next one does, without the blanks between.
  [[gnu::always_inline]] std::string_view token_text() const {
    const std::uint32_t begin = tokens_[token_];
    std::uint32_t end = token_ + 1 < count_ ? tokens_[token_ + 1] : text_bytes_;
    while (end > begin && is_blank(text_[end - 1])) --end;
    return {text_ + begin, end - begin};
  }
  // Stage 1 marks anything that follows a string without a blank as a token of its own, so what is
  // left of a string's token ends in its quote.
  [[gnu::always_inline]] bool read_string(std::string_view& text, bool& escaped) const {
    const std::string_view quoted = token_text();
    if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') return false;
    text = {quoted.data() + 1, quoted.size() - 2};
    // Most lines have none, and most of the rest have them in one string.
    const char* const end = text.data() + text.size();
    escaped = text.data() <= escapes_.last && end > escapes_.first &&
              text.find('\\') != std::string_view::npos;
    return !escaped || are_escapes(text);
  }

  const char* text_;
  std::uint32_t text_bytes_;
  const std::uint32_t* tokens_;
  std::uint32_t count_;
  std::uint32_t token_;
  JsonWalk::Escapes escapes_;
};

// The token behind the object or array that begins at `token`, with all that is in it; 0: it is
// none. Not by recursion: a line must not choose how much stack there is.
[[gnu::noinline]] std::uint32_t end_of_nested(const Input& input, std::uint32_t token) {
  Cursor cursor(input, token);
  std::uint64_t in_object = 0;  // Of each level that is open, the innermost in bit 0.
  unsigned depth = 0;
  JsonMember ignored;
  while (!cursor.at_end()) {  // A value is due here.
    const char c = cursor.here();
    const bool opens = c == '{' || c == '[';
    if (opens) {
      if (depth++ == JsonWalk::kMaxDepth) return 0;
      in_object = in_object << 1U | (c == '{' ? 1U : 0U);
      cursor.go_to(cursor.token() + 1);
      if (cursor.at_end()) return 0;
    } else if (!cursor.take_scalar(ignored)) {
      return 0;
    }
    if (!opens || cursor.at_closing()) {
      for (; !cursor.at_end() && cursor.at_closing(); cursor.go_to(cursor.token() + 1)) {
        if ((cursor.here() == '}') != ((in_object & 1U) != 0)) return 0;
        in_object >>= 1U;
        if (--depth == 0) return cursor.token() + 1;
      }
      if (!cursor.take(',')) return 0;
    }
    if ((in_object & 1U) != 0 && !cursor.take_key(ignored)) return 0;
  }
  return 0;
}

struct Members {
  std::size_t count = 0;
  std::uint32_t end_token = 0;  // 0: it is no object.
};

// Of the object that begins at `token`.
Members read_members(const Input& input, std::uint32_t token, std::vector<JsonMember>& members) {
  Cursor cursor(input, token);
  if (!cursor.take('{')) return {};
  if (cursor.take('}')) return {0, cursor.token()};
  for (std::size_t count = 0;;) {
    if (count == members.size()) members.resize(2 * count + 16);
    JsonMember& member = members[count++];
    if (!cursor.take_key(member)) return {};
    member.token = cursor.token();
    const char c = cursor.here();
    if (c == '{' || c == '[') {
      member.kind = c == '{' ? JsonKind::kObject : JsonKind::kArray;
      member.value_escaped = false;
      const std::uint32_t end = end_of_nested(input, cursor.token());
      if (end == 0) return {};
      const std::uint32_t begin_byte = input.tokens[member.token];
      member.value = {input.text + begin_byte, input.tokens[end - 1] + 1 - begin_byte};
      cursor.go_to(end);
    } else if (!cursor.take_scalar(member)) {
      return {};
    }
    if (cursor.take('}')) return {count, cursor.token()};
    if (!cursor.take(',')) return {};
  }
}

Input input_of(std::string_view text, std::span<const std::uint32_t> tokens,
               JsonWalk::Escapes escapes) {
  return {text.data(), static_cast<std::uint32_t>(text.size()), tokens.data(),
          static_cast<std::uint32_t>(tokens.size()), escapes};
}

}  // namespace

bool JsonWalk::read(std::string_view text, std::span<const std::uint32_t> tokens) {
  text_ = text;
  tokens_ = tokens;
  escapes_ = {};
  if (const void* const first = std::memchr(text.data(), '\\', text.size()))
    escapes_ = {static_cast<const char*>(first),
                static_cast<const char*>(::memrchr(text.data(), '\\', text.size()))};
  const Members read = read_members(input_of(text, tokens, escapes_), 0, members_);
  member_count_ = read.count;
  return read.end_token != 0 && read.end_token == tokens.size();
}

std::span<JsonMember> JsonWalk::members_of(const JsonMember& object) {
  const Input input = input_of(text_, tokens_, escapes_);
  const std::size_t count = read_members(input, object.token, nested_).count;  // May move them.
  return {nested_.data(), count};
}

void append_unescaped(std::string_view raw, std::string& out) {
  constexpr char32_t kReplacement = 0xFFFD;
  for (std::size_t at = 0;;) {
    const std::size_t slash = raw.find('\\', at);
    out.append(raw.substr(at, slash - at));
    if (slash == std::string_view::npos) return;
    const char c = raw[slash + 1];
    at = slash + 2;
    if (c != 'u') {
      constexpr std::string_view kNames = "bfnrt", kMeanings = "\b\f\n\r\t";
      const std::size_t name = kNames.find(c);
      out.push_back(name == std::string_view::npos ? c : kMeanings[name]);
      continue;
    }
    char32_t point = code_unit(raw, at);
    at += 4;
    if (point >= 0xD800 && point < 0xDC00 && raw.substr(at).starts_with("\\u")) {
      const char32_t low = code_unit(raw, at + 2);
      if (low >= 0xDC00 && low < 0xE000) {
        point = 0x10000 + ((point - 0xD800) << 10U) + (low - 0xDC00);
        at += 6;
      }
    }
    append_utf8(out, point >= 0xD800 && point < 0xE000 ? kReplacement : point);
  }
}

}  // namespace pmx::ship::internal
