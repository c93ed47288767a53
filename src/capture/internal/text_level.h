// The level of one text line, from its first kTextBytes.
//
// The forms, the leftmost wins:
//   at the start, after blanks and colour sequences
//     <3>…                    syslog and sd-daemon(3), number modulo 8
//     E1123 10:00:00…         klog, glog
//     error: …  Error: …      a level word of any case before a colon: winston, .NET, git,
//     JavaScript
//     TypeError: …  java.io.IOException: …  Traceback (most recent call last):
//     Exception in thread …   an error that is printed: JavaScript, Python, Java
//   anywhere
//     ERROR                   upper case and alone: log4j, Python, PostgreSQL, npm, Serilog's ERR …
//     [error]  [core:error]   any case before ']': nginx, Apache, gunicorn
//     level=error             logfmt: level, lvl, severity, loglevel; the value may be quoted
#pragma once

#include <string_view>

#include "model/severity.h"

namespace pmx::capture::internal {

// kInfo where the line names none. Needs kReadableBehindBytes behind it.
Severity read_text(std::string_view line);

}  // namespace pmx::capture::internal
