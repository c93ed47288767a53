// `pmx monit`: what stands on the screen: the list, what is known of the worker that is chosen, and
// its last lines.
//
// Owns:    list, choice and lines. No terminal and no clock: frame() is text.
// Thread:  one.
// Bounds:  kMostLines lines of kLongestLineBytes; what is before them is in the logs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/console.h"
#include "model/ids.h"

namespace pmx::cli {

class MonitView {
 public:
  static constexpr std::size_t kMostLines = 500, kLongestLineBytes = 4096;
  enum class Key { kUp, kDown, kFirst, kLast, kLeave };
  struct Size {
    std::size_t rows = 24, columns = 80;
  };

  // jlist elements, in the order of the rows. Who is chosen stays it while it is there; then it is
  // the one in its place.
  void show(Json list);
  void trouble(std::string line) { trouble_ = std::move(line); }  // "": none.
  void move(Key key);
  std::optional<WorkerId> chosen() const;

  void add_line(std::string_view line);  // As append_for_terminal() has it, without a newline.
  void clear_lines() { lines_.clear(); }

  // For a terminal that does not wrap: `size.rows` lines with their ends, from the top left on.
  std::string frame(const Console& console, Size size, std::int64_t now_ms) const;

 private:
  std::vector<std::string> table(const Console& console, std::size_t rows,
                                 std::int64_t now_ms) const;
  std::vector<std::string> details(const Console& console, std::int64_t now_ms) const;

  Json list_ = Json::array();
  std::size_t row_ = 0;
  std::string trouble_;
  std::deque<std::string> lines_;
};

// What a terminal sends for a key: arrows, j and k, Home, End, q, Esc and Ctrl-C. `bytes` begins
// with it and loses it; a key that means nothing here is passed over.
std::optional<MonitView::Key> take_key(std::string_view& bytes);

}  // namespace pmx::cli
