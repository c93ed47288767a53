"""The differences from PM2 that are wanted, each with the words of docs/PM2.md that give the reason."""
from typing import NamedTuple


class Wanted(NamedTuple):
    what: str     # As Difference has it.
    pm2: str      # What PM2 has, as a pattern for all of it; "" where only pmx has something.
    pmx: str      # The same of pmx.
    because: str  # Words of docs/PM2.md.
    where: str = ""  # A pattern that is looked for in "case: command".
    sometimes: bool = False  # It depends on PM2's own timing whether there is a difference.


OWN_WORDS = "What is wrong is said in one line, in pmx's own words, on the standard error"
HELP = "Help is pmx's own"
NO_AGENT = "there is no agent to inject"
DESCRIBE = "`describe` has what is known of the logs and of the last end in place of the agent's tables and hints"
NO_BANNER = "A first command prints no banner"
APPLIED = "`Applying action` is said of what has been done, so not of an id that nobody has"
STARTING = "`start` of a script says what it starts, also where that is one that it may not start twice"
LEFT_OUT = "`--only` of an app that the file does not have ends with 1, and nothing is said of apps that it leaves out"
NEWEST_FIRST = "removes the newest instances, so that instance 0 stays"
SETTINGS = "`set`, `get`, `unset` and `conf` say what a setting means here, and `get` prints the value alone"
BY_TIME = "`pmx logs` shows the lines of all files by their time, without a heading for each file"
RAW = "`--raw` prints lines and nothing else"
UNKNOWN_LOGS = "`logs` of an app that is not there ends with 1"
NONSENSE = "A value that means nothing (`--sort nonsense`, `--lines many`) is refused"
FLUSHED = "`pmx flush` names each file once, and leaves `pmx.log`, which has a bound of its own"
ALL_SETTINGS = "`jlist` has all settings of an app, those with their default value too, and pmx's own"
NOT_LISTED = "It has not what means nothing here"
OWN_FILES = "The home has pmx's own files beside PM2's `logs/`, `pids/` and `dump.pm2`"
RENAMED = "`restart NAME --name OTHER` gives log and pid files the new name too"
AS_ASKED = "A restart changes of an app what was asked for and nothing else"
TEXTS = "Variables are text in every list, as the worker has them"
WAITING = "A worker that waits for its next start has no pid"
NOT_READY = "an app that has not sent `ready` within `listen_timeout` is not online"
EVERY_MISTAKE = "scripts that are not there included, and nothing is started"
KEEPS_WATCH = "`restart --watch` switches it on"
CRASH_LOOP = "A crash loop that hides behind `online` shows in `list`"
NO_CODE = "PM2 shows exit code 0 for a signal"

WANTED = [
    # Words.
    Wanted("error", r"(?s).*", "", OWN_WORDS),
    Wanted("error", "", r"(?s)(\[PM2\]|Unknown signal).*", OWN_WORDS),
    Wanted("stdout", r"\[PM2\]\[ERROR\] Command not found|usage: .*|pm2 .*|Access pm2 .*|", "", HELP, "nonsense|: pm2$"),
    Wanted("stdout", ".*", "", HELP, "--help"),
    Wanted("stdout", "", ".*", HELP, "--help|: pm2$"),
    Wanted("stdout", r"\[PM2\] (Spawning PM2 daemon with|PM2 Successfully).*", "", NO_BANNER, "a first command"),
    Wanted("stdout", ".*", "", NO_BANNER, "a first command: pm2 jlist"),
    Wanted("stderr", "", r"\[PM2\] Spawning pmx daemon with .*", NO_BANNER, "a first command"),
    Wanted("stdout", r"\[PM2\] \[v\] .*", "", "No command but those that need one starts a daemon", "a first command"),
    Wanted("stdout", "", r"\[PM2\] No daemon runs in .*", "No command but those that need one starts a daemon",
           "a first command"),
    Wanted("stderr", r"\[PM2\]\[WARN\] No process found", "", "`kill` of an empty list warns of nothing", "pm2 (kill|update)"),
    Wanted("stdout", r"\[PM2\] Applying action \w+ on app \[99\].*", "", APPLIED),
    Wanted("stdout", "", r"\[PM2\] (Starting <root>/work/app.js in fork_mode \(1 instance\)|Done\.)", STARTING),
    Wanted("stderr", "", r"\[PM2\]\[WARN\] --env chooses .*", "`--env` with a script is said to mean nothing"),
    Wanted("stderr", r"\[PM2\]\[WARN\] Environment .*", r"", "Warnings go to the standard error, with the app's name"),
    Wanted("stderr", "", r"\[PM2\]\[WARN\] app \w+: Environment .*", "Warnings go to the standard error, with the app's name"),
    Wanted("stderr", "", r"\[PM2\]\[WARN\] app odd: unknown key .*", "Unknown keys are named, with the nearest known one"),
    Wanted("stderr", "", r"\[PM2\]\[WARN\] App job stopped but CRON RESTART .*", "and `stop` warns of it"),
    Wanted("stdout", r"\[PM2\] cron restart at .*", "", LEFT_OUT, "--only web"),
    Wanted("exit code", "0", "1", LEFT_OUT, "--only none"),
    Wanted("stdout", "│ .*", "", LEFT_OUT, "--only none"),
    Wanted("stderr", "", r"\[PM2\]\[ERROR\] --only: no app .*", LEFT_OUT, "--only none"),
    Wanted("exit code", "0", "1", NONSENSE, "nonsense"),
    Wanted("stdout", ".*", "", NONSENSE, "--(sort|lines) nonsense"),
    Wanted("stderr", "", r"\[PM2\]\[ERROR\] .*nonsense.*", NONSENSE, "--(sort|lines) nonsense"),
    Wanted("stdout", "", r"\[PM2\] web: this shell's variables differ .*", "this shell's variables differ, and"),
    Wanted("exit code", "1", "0", "`env` takes a name too", "pm2 env web"),
    Wanted("stderr", r"\[PM2\]\[ERROR\] Modules with id web not found", "", "`env` takes a name too", "pm2 env web"),
    Wanted("stdout", r"\[PM2\] Process <root>/\S+ restored", "", "`resurrect` names apps"),
    Wanted("stdout", "", r"\[PM2\] Process \w+ restored", "`resurrect` names apps"),
    Wanted("exit code", "0", "1", "without any dump it ends with 1", "pm2 resurrect"),
    Wanted("stdout", r"\[PM2\] Restoring processes .*|│ .*", "", "without any dump it ends with 1", "nothing runs yet: pm2 resurrect"),
    Wanted("stderr", "", r"\[PM2\]\[ERROR\] no <root>/user/.pm2/dump.pm2: .*", "without any dump it ends with 1"),
    Wanted("stdout", r"\[PM2 I/O\] .*", "", "do nothing and end with 0", "pm2 link delete"),
    Wanted("stderr", "", r"\[PM2\]\[WARN\] link: .*", "do nothing and end with 0", "pm2 link delete"),

    # Describe, logs, settings.
    Wanted("stdout", r"│ (Heap|Used Heap|Active|Event Loop|km:).*|│ ?| (Actions available|Trigger via|Code metrics|Add your own|Use `pm2).*",
           "", DESCRIBE, "pm2 describe"),
    Wanted("stdout", r"│ SHLVL .*| Divergent env variables from local env ", "", "those of a shell's session are left out",
           "pm2 describe"),
    Wanted("stdout", "", r" Log <root>.*|│ (captured|active file|waiting|dropped|restarts in the last minute|last exit) .*",
           DESCRIBE, "pm2 describe"),
    Wanted("stdout", r"│ unstable restarts │ 1", r"", "`unstable_restarts` counts ends after which a worker is started again"),
    Wanted("stdout", r"", r"│ unstable restarts │ 0", "`unstable_restarts` counts ends after which a worker is started again"),
    Wanted("stdout", r"<root>/\S+ last \d+ lines:|", "", BY_TIME, "pm2 logs?"),
    Wanted("stdout", r"\[TAILING\] .*", "", RAW, "--raw"),
    Wanted("exit code", "0", "1", UNKNOWN_LOGS, "pm2 logs nobody"),
    Wanted("stdout", r"\[TAILING\] .*", "", UNKNOWN_LOGS, "pm2 logs nobody"),
    Wanted("stderr", "", r"\[PM2\]\[ERROR\] Process or Namespace nobody not found", UNKNOWN_LOGS, "pm2 logs nobody"),
    Wanted("stdout", r"\[PM2\] (Flushing <root>/user/.pm2/pm2.log|Flushing:|/dev/null)", "", FLUSHED, "pm2 flush"),
    Wanted("stderr", "", r"\[PM2\]\[WARN\] Process or Namespace web not found", "`flush` of an app that is not there warns",
           "pm2 flush web"),
    Wanted("stdout", r"\[PM2\] Setting changed|Module: .*|\$ pm2 set .*|Value for module .*", "", SETTINGS),
    Wanted("stdout", "", r"\[PM2\] rotate.max_size .*|\$ pmx set rotate.max_size 10M|10M", SETTINGS),

    # Behaviour.
    Wanted("stdout", r"\[PM2\] (Applying action deleteProcessId on app .*|\[web\]\(\d\) ✓)|│ 1 │ web .*", "", NEWEST_FIRST,
           "pm2 scale web 1"),
    Wanted("stdout", "", r"\[PM2\] (Applying action deleteProcessId on app .*|\[web\]\(\d\) ✓)|│ 0 │ web .*", NEWEST_FIRST,
           "pm2 scale web 1"),
    Wanted("list", r"web:1 .*", "", NEWEST_FIRST, "pm2 scale web 1"),
    Wanted("list", "", r"web:0 .*", NEWEST_FIRST, "pm2 scale web 1"),
    Wanted("home", r"pids/web-1.pid", "", NEWEST_FIRST, "instances and scale"),
    Wanted("home", "", r"pids/web-0.pid", NEWEST_FIRST, "instances and scale"),
    Wanted("exit code", "0", "1", NOT_READY, "pm2 start never.js"),
    Wanted("stdout", r"\[PM2\] Done\.|│ .*", "", NOT_READY, "pm2 start never.js"),
    Wanted("stderr", "", r"\[PM2\]\[ERROR\] never \(id 1\) is not ready: .*", NOT_READY),
    Wanted("list", r'never:1 status "online"', r'never:1 status "launching"', NOT_READY),
    Wanted("jlist", r'pm2_env.status = "online"', r'pm2_env.status = "launching"', NOT_READY, "ready and not ready"),
    Wanted("stdout", r"\[PM2\] App \[here\] launched .*", "", EVERY_MISTAKE, "gone.json"),
    Wanted("list", r"here:\d .*", "", EVERY_MISTAKE, "gone.json"),
    Wanted("home", r"(logs|pids)/here-.*", "", EVERY_MISTAKE, "in JSON"),
    Wanted("stderr", "", r"\[PM2\]\[WARN\] fail \(1\): crash loop: .*", CRASH_LOOP),
    Wanted("list", r"later:2 runs true", r"later:2 runs false", WAITING),
    Wanted("stdout", r"│ 2 │ later .*│ <pid> │.*|<pid>", "", WAITING, "pm2 (list|pid later)"),
    Wanted("stdout", "", r"│ 2 │ later .*│ 0 │.*|0", WAITING, "pm2 (list|pid later)"),
    Wanted("home", "", r"(logs|pids)/(renamed|noext)-.*", RENAMED),

    # jlist.
    Wanted("jlist", r"pm2_env\.(automation|pmx|vizion)", "", NO_AGENT),
    Wanted("jlist", r"pm2_env\.(_tree_pids|_pm2_version|filter_env|execute_command|(env\.)?(<app>|PM2_JSON_PROCESSING|updateEnv))", "", NOT_LISTED),
    Wanted("jlist", r"pm2_env\.(env\.)?\d", "", "`--env` with a script is said to mean nothing"),
    Wanted("jlist", r"pm2_env\.env_production", "", NOT_LISTED),
    Wanted("jlist", r"pm2_env\.cron_restart", "", NOT_LISTED, "with options"),
    Wanted("jlist", "", r"pmx|pm2_env\.(_km_monitored|args|balance|config|cwd|disable_logs|drain_hook|env_file|error_file|execute_command|exit_signal|exp_backoff_max_delay|"
           r"exp_backoff_restart_delay|gid|increment_var|instances_given|kill_timeout|listen_timeout|log_date_format|log_file|log_type|"
           r"max_restarts|merge_logs|min_uptime|node_version|out_file|pid_file|pmx_module|prev_restart_delay|redact|restart_delay|"
           r"rotate|script|ship|ship_from_home|shutdown_with_message|stop_exit_codes|sync|time|uid|version|versioning|"
           r"wait_ready|watch|watch_delay|when_full|instances)", ALL_SETTINGS),
    Wanted("jlist", r"pm2_env\.exit_code: number", r"pm2_env\.exit_code: null", NO_CODE),
    Wanted("jlist", r"pm2_env\.stop_exit_codes: number", r"pm2_env\.stop_exit_codes: array", "`stop_exit_codes` is always a list there"),
    Wanted("jlist", r"pm2_env\.merge_logs = true", r"pm2_env\.merge_logs = false", AS_ASKED),
    Wanted("jlist", r'pm2_env\.(script|cwd|(env\.)?PWD) = "\..*', r'pm2_env\.(script|cwd|(env\.)?PWD) = "<root>/work.*',
           "Scripts and directories are absolute paths in every list"),
    Wanted("jlist", r"pm2_env\.env\.app", "", NOT_LISTED, "interpreters"),
    Wanted("jlist", r"pm2_env\.watch = false", r"pm2_env\.watch = true", KEEPS_WATCH, "watch"),
    Wanted("stdout", r"│ 0 │ web .* disabled", r"", KEEPS_WATCH, "watch: "),
    Wanted("stdout", r"", r"│ 0 │ web .* enabled", KEEPS_WATCH, "watch: "),
    Wanted("jlist", r"pm2_env\.(env\.)?[A-C]: number", r"pm2_env\.(env\.)?[A-C]: string", TEXTS),
    Wanted("jlist", "", r"pm2_env\.env\.\w+", AS_ASKED, "in (JSON|YAML|JavaScript)"),
    Wanted("jlist", r'pm2_env\.pm_(out_log|err_log|pid)_path = .*', r'pm2_env\.pm_(out_log|err_log|pid)_path = .*', RENAMED,
           "interpreters"),
    Wanted("jlist", r"pm2_env\.unstable_restarts = 1", r"pm2_env\.unstable_restarts = 0",
           "`unstable_restarts` counts ends after which a worker is started again", sometimes=True),

    # Files.
    Wanted("home", r"module_conf\.json|modules|pm2\.log|pm2\.pid|pub\.sock|rpc\.sock|reload\.lock|touch", "", OWN_FILES),
    Wanted("home", "", r"pmx\.log|pmx\.pid|pmx\.sock|state(/.*)?", OWN_FILES),
    Wanted("home", r"dump\.pm2", "", "without any dump it ends with 1", "nothing runs yet"),
]
