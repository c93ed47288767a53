#include "config/settings_doc.h"

#include <string_view>

#include "config/schema.h"
#include "config/sink_options.h"

namespace pmx::config {
namespace {

constexpr std::string_view kIntro = R"(# Settings

This file is printed by `pmx docs settings` from the table in `src/config/schema.cpp`.

Keys stand in an ecosystem file (`ecosystem.config.js`, `.json`, `.yaml`); most have an option of
`pmx start`. `config/ecosystem.schema.json` tells editors of them (`"$schema"` in JSON,
`# yaml-language-server: $schema=` in YAML), `config/pmx.yaml` has them all with their defaults.
The camelCase of every key is understood too. Keys that begin with `rotate.` stand
inside `rotate: { … }`, those that begin with `redact.` inside `redact: { … }`, and `health.` alike.

Sizes: `10M`, `10MB`, `10MiB` and bytes, all in powers of 1024. Durations: `1600` (ms), `10s`, `5m`,
`1h`, `7d`.

`pmx set <key> <value>` makes a default for new apps of every `rotate.` key, `when_full`, `sync`,
`log_type`, `log_date_format`, `time`, `redact.builtin`, `max_restarts`, `min_uptime`,
`restart_delay`, `exp_backoff_restart_delay`, `exp_backoff_max_delay` and `kill_timeout`.
pm2-logrotate's names are understood: `pmx set pm2-logrotate:max_size 10M`. Three settings are the
home's, and hold at once: `pmx set max_disk <size>` bounds all logs of it together (default: 10% of
the disk, at most 4G), `pmx set ship <url>` names the stores of every app that names none itself
("Shipping" below), and after `pmx set autosave false` only what `pmx save` has written comes back
after a boot, by `pmx resurrect` as with PM2; `pmx list` then says when that is stale.

)";

constexpr std::string_view kRedaction = R"(
## Redaction

`redact` takes secrets out of lines before they reach the disk, and so out of all that is made of
the files: archives, `pmx logs`, what is shipped, what `pmx run` prints. `redact: true` (`--redact`)
is the built-in rules; patterns and keys are one's own. A sink has the same options for its copy
alone.

```
redact: true
redact: { builtin: true, patterns: ["\\bcus_\\w+", "pin \\d{4}"], keys: ["ssn", "x-session"] }
```

The built-in rules know `Authorization` and what follows it, `Bearer` and `Basic` credentials, JSON
web tokens, AWS key ids, private keys, passwords in URLs, card numbers (with a right check digit),
and the values of the JSON keys `password`, `passwd`, `secret`, `token`, `api_key`, `authorization`,
`cookie`, `set-cookie`. Case, `-` and `_` make no difference in keys. What is found becomes
`[redacted]`; a line of JSON stays JSON. `pmx describe` says how often.

A rule that is wrong starts nothing. A change holds for the lines of the app's next run; what is in
files stays as it is. What it costs and cannot do:

- A rule sees one line at a time, as it was printed: not a secret over several lines, nor a word
  with colours in it. A private key is known over its lines too, which are held back until its last
  one.
- Half a line (a prompt) is held back until it ends. The half that a worker leaves when it dies, or
  that a full disk has cut, is looked at by itself.
- A line above 512 KiB (256 KiB in a merged log) is looked at in pieces, which end where no secret
  is cut. Of a secret above 32 KiB in such a line a part may stay.
- Lines wait in memory (pipe and ring) as they were printed.
)";

constexpr std::string_view kEnvFiles = R"(
## Files of variables

`env_file: ".env"` or a list of paths, relative to the app's `cwd`. They are read at every start
of a worker, with the rights of its user: what they say is over the shell's variables and under
the app's `env`, a later file over an earlier one. The values go to the worker and nowhere else. A
file that is not there, or that is wrong, is a failed start with a line that says which and where;
`.env.local?` may be missing.

```
# A comment.
PORT=3000                      # Without quotes: up to a # or the line's end.
export NAME='as it is, $HOME'  # Single quotes and backticks keep what is in them.
KEY="two\nlines, \"quoted\""    # Double ones know \n \r \t \" \\ \$, and may go over lines.
```

Nothing is expanded and no command is run.
)";

constexpr std::string_view kListening = R"(
## Sockets that are passed

`listen` gives each worker its sockets at its start, as systemd does (sd_listen_fds(3)), in every
`exec_mode` and with every interpreter: descriptors 3, 4, … in the order of the list, which listen
already, with `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES` beside them. At most 16.

```
listen: 3000                                     # Any address, IPv6 and IPv4. --listen 3000
listen: ["web=3000", "admin=127.0.0.1:3001"]     # Named. --listen web=3000,admin=127.0.0.1:3001
listen: [{ name: "web", address: "[::1]:3000" }, "unix:run/app.sock"]   # The path is cwd's.
```

A socket without a name is called by its port, or by its file. Programs take them by number or by
name: `server.listen({fd: 3})` in Node (of any `exec_mode`; `cluster` has its drain too),
`socket.socket(fileno=3)` in Python, `uvicorn --fd 3`, gunicorn and puma by themselves,
`net.FileListener(os.NewFile(3, ""))` in Go. They block, until a program says otherwise. A shell
line that forks makes `LISTEN_PID` another's: let it `exec` the program. An IPC channel (Node's,
`wait_ready`) is the descriptor behind them. A program that takes none of them and binds the port by
itself finds it taken.

The keeper holds them: clients wait while a worker is restarted, has crashed or is being reloaded,
and whatever becomes of the daemon. `stop` and `delete` close them. With several workers `balance`
says how they share an address; a Unix path is always one queue for all. Where an address is not to
be had the start fails and says so; a restart or a reload leaves what runs. A reload waits until the
new one says that it is ready (`wait_ready`), answers `health` (TCP and `balance: slots`), or has
lived for `min_uptime`; then the old one gets nothing new, empties its queue, and is told to end by
SIGTERM, or SIGINT where it handles that alone.
)";

constexpr std::string_view kShipping = R"(
## Shipping

`ship` says which stores get every line too. The first of these that says something counts: the
command line (`--ship <url>`, more than once for several), the app in a file, the file beside the
list of `apps`, the environment variable `PMX_SHIP` of the shell that starts the app, the home
(`pmx set ship <url>`). `ship: false` or `none` is no store. The home's is not copied into apps: a
change of it, or `pmx unset ship`, holds at once for all that run and named no store when they were
started, for what they print from then on; `pmx restart <app> --ship null` makes an app one of them.
`ship` is one URL, several in a list, or objects of the options below (for `pmx set` as JSON):

```
ship: "loki+http://127.0.0.1:3100"
ship: [{ type: "elasticsearch", url: "https://es:9200", index: "logs-app-default",
         auth: { user: "pmx", password_env: "ES_PASSWORD" }, tls: { ca_file: "http_ca.crt" },
         filter: { level: "warn" }, redact: true }]
```

| URL | store |
|---|---|
| `loki+http://[user[:password]@]host[:port][/base]` | Grafana Loki; port 3100, 443 for https |
| `elasticsearch+https://host[:port][/base]/index` (short: `es+`) | Elasticsearch; port 9200; data stream `logs-pmx-default` where no index is given |
| `opensearch+https://host[:port][/base]/index` | OpenSearch; the same |
| `victorialogs+http://host[:port][/base]` (short: `vl+`) | VictoriaLogs; port 9428, 443 for https |
| `http+https://host[:port]/path` | lines of JSON (NDJSON) to any URL |
| `file:///path` | lines of JSON in a file |

Options stand in a URL's query by their name, or by its last part where only one option has it:
`loki+http://host?tenant=a&labels.team=x&level=warn`. `only`, `drop` and `patterns` may be there
more than once. Patterns are those of RE2. A password in a URL is taken out of it, with a warning; a
user without one gets that of `PMX_SHIP_PASSWORD`. Secrets are kept in the home's `state/` with mode
0600, so that a reboot does not need them again, and are never shown; `pmx get ship` hides values of
headers too. Paths are relative to the
directory of the shell. `pmx ship status` shows what has arrived, `pmx ship test <url>` sends one
line.

| option | stores | allowed | default | meaning |
|---|---|---|---|---|
)";

std::string cell(std::string_view text, bool code) {
  if (text.empty()) return "";
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return code ? "`" + out + "`" : out;
}

std::string list_cell(std::string_view text, char separator) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (!out.empty()) out += " ";
    out += cell(text.substr(0, end), true);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::string pm2_rows(Role role) {
  std::string out = "| key | aliases | option | meaning in PM2 |\n|---|---|---|---|\n";
  for (const Setting& row : settings())
    if (row.role == role)
      out += "| " + cell(row.key, true) + " | " + list_cell(row.aliases, ' ') + " | " +
             list_cell(row.options, ',') + " | " + cell(row.help, false) + " |\n";
  return out;
}

}  // namespace

std::string settings_markdown() {
  std::string out(kIntro);
  out += "| key | aliases | option | allowed | default | meaning |\n|---|---|---|---|---|---|\n";
  for (const Setting& row : settings()) {
    if (row.role == Role::kLater || row.role == Role::kMoot) continue;
    out += "| " + cell(row.key, true) + " | " + list_cell(row.aliases, ' ') + " | " +
           list_cell(row.options, ',') + " | " + cell(allowed_text(row), false) + " | " +
           cell(default_text(row), true) + " | " + cell(row.help, false) + " |\n";
  }
  out += kRedaction;
  out += kEnvFiles;
  out += kListening;
  out += kShipping;
  for (const SinkOption& row : sink_options())
    out += "| " + cell(row.key, true) + " | " + stores_text(row) + " | " +
           cell(allowed_text(row), false) + " | " + cell(default_text(row), true) + " | " +
           cell(row.help, false) + " |\n";
  out +=
      "\n## Accepted, without effect\n\nKeys of PM2 that are kept and shown; `pmx start` warns of "
      "them where they ask for something.\n\n" +
      pm2_rows(Role::kLater) +
      "\nFor these there is nothing to warn of: what they say is so already, or was PM2's own "
      "affair.\n\n" +
      pm2_rows(Role::kMoot);
  return out;
}

}  // namespace pmx::config
