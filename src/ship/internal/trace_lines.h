// Which lines go on with the ones before them: the traces of Node, Python, Java, Go and Ruby as
// their runtimes print them, and objects as util.inspect and JSON.stringify lay them out.
//
// Thread: any; nothing is kept. Lines are without their newline and no object from '{' to '}'.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pmx::ship::internal {

// What an open event is, as far as it matters for what may follow.
enum class Trace : std::uint8_t {
  kPlain,
  kBlank,        // Empty or white space: nothing follows.
  kException,    // "Error: …", "java.io.IOException: …": its message may have a second line.
  kPython,       // Frames, until the exception's line.
  kPythonDone,   // After it.
  kPythonChain,  // "During handling of the above exception, …": another traceback comes.
  kGo,           // A panic or goroutines.
  kNodePath,     // "/app/x.js:12": the head of an uncaught error, if a line with "^" comes next
                 // but one.
  kNodeCaret,    // That line was there.
  kNodeThrow,    // The error is being printed; the process ends with it.
};

enum class Join : std::uint8_t {
  kNo,
  kYes,
  kMaybe,  // The line behind it tells: see settles().
};

struct Step {
  Join join = Join::kNo;
  Trace trace = Trace::kPlain;  // What the event is with the line.
};

// What an event is that begins with `line`.
Trace trace_begun_by(std::string_view line);

// `line` comes behind the event of `lines` lines whose text is `text`.
Step step(Trace trace, std::string_view text, std::uint32_t lines, std::string_view line);

// `line` comes behind one that was kMaybe: both belong to the event, and it is what is answered; or
// nullopt: the event ended before the two.
std::optional<Trace> settled(Trace trace, std::string_view line);

}  // namespace pmx::ship::internal
