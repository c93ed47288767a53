// What the rows of command_table.cpp call. Each prints its own errors and answers the exit code.
#pragma once

#include <cstdint>

namespace pmx::cli {

struct Session;

// start_command.cpp
int run_start(Session& session);
// serve_command.cpp
int run_serve(Session& session);
// project_commands.cpp
int run_ecosystem(Session& session);
int run_start_or_restart(Session& session);
int run_start_or_reload(Session& session);
// dump_commands.cpp
int run_save(Session& session);
int run_cleardump(Session& session);
int run_resurrect(Session& session);
// import_command.cpp
int run_import(Session& session);
// update_command.cpp
int run_update(Session& session);
// startup_command.cpp
int run_startup(Session& session);
int run_unstartup(Session& session);
// why_command.cpp
int run_why(Session& session);
int run_balance(Session& session);
// Of runs that were to take over in a reload begun at `since_ms`, and did not or died of it: what
// they said last, on standard error.
void print_words_of_failed_reloads(Session& session, std::int64_t since_ms);
// link_command.cpp
int run_link_pm2(Session& session);
// run_command.cpp
int run_foreground(Session& session);
// act_commands.cpp
int run_stop(Session& session);
int run_restart(Session& session);
int run_reload(Session& session);
int run_scale(Session& session);
int run_delete(Session& session);
int run_reset(Session& session);
int run_flush(Session& session);
int run_reload_logs(Session& session);
int run_rotate(Session& session);
int run_kill(Session& session);
// message_commands.cpp
int run_send_signal(Session& session);
int run_send(Session& session);
int run_attach(Session& session);
int run_trigger(Session& session);
// list_commands.cpp
int run_list(Session& session);
int run_monit(Session& session);
int run_jlist(Session& session);
int run_prettylist(Session& session);
int run_describe(Session& session);
int run_env(Session& session);
int run_id(Session& session);
int run_pid(Session& session);
int run_ping(Session& session);
int run_logs_command(Session& session);
// ship_commands.cpp
int run_ship(Session& session);
// settings_commands.cpp
int run_set(Session& session);
int run_get(Session& session);
int run_unset(Session& session);
int run_conf(Session& session);
int run_multiset(Session& session);
int run_install(Session& session);
// info_commands.cpp
int run_version(Session& session);
int run_help(Session& session);
int run_completion(Session& session);
int run_docs(Session& session);
int run_report(Session& session);

}  // namespace pmx::cli
