// What cluster workers of Node (node --require) and Bun (bun --preload) are started with, so that
// their clients can be told to move before they leave. It does nothing until it is asked.
//
// Neither of them ever says `Connection: close` because a server closes: a client that sends one
// request after the other is cut off when the worker ends. Here, once they are told to drain, each
// answer says it.
//
// Node's uses public diagnostics channels only, is told over the worker's channel by {"act":"drain"}
// in messages that apps do not see, and tells `drained` when no connection is left. It also counts:
// new connections and requests of each second, for a minute, so that `pmx balance` can show them.
// That is an addition for each.
//
// Bun has no such channels, and no messages that apps do not see: its handlers are wrapped, and it
// is told by SIGURG, which whoever has no handler for it ignores (signal(7)).
//
// Sources: https://nodejs.org/api/diagnostics_channel.html (http.server.request.start,
// net.server.socket), https://nodejs.org/api/http.html (closeIdleConnections),
// https://bun.com/docs/runtime/http/server (fetch, error, routes, reload).
#pragma once

#include <signal.h>

#include <string_view>

namespace pmx::supervisor {

inline constexpr std::string_view kNodeDrainHook = R"js('use strict';
// Written by pmx (drain_hook in docs/SETTINGS.md): tells clients of a worker that leaves to move.
if (process.channel) {
  const channels = require('diagnostics_channel');
  const sockets = new Set(), servers = new Set(), answers = new Set();
  let leaving = false, told = false;
  const tell = (act, more) => {
    try { if (process.connected) process.send({ cmd: 'NODE_PMX', act, ...more }); } catch {}
  };
  const connections = new Uint32Array(60), requests = new Uint32Array(60);
  let second = 0;
  const slot = () => {
    const now = Math.floor(process.uptime());
    for (second = Math.max(second, now - 60); second < now;) {
      second++;
      connections[second % 60] = requests[second % 60] = 0;
    }
    return now % 60;
  };
  const sum = (counts) => counts.reduce((all, count) => all + count, 0);
  const look = () => {
    if (!leaving || told || sockets.size > 0) return;
    told = true;
    tell('drained');
  };
  channels.subscribe('net.server.socket', ({ socket }) => {
    if (!socket) return;
    sockets.add(socket);
    connections[slot()]++;
    socket.once('close', () => { sockets.delete(socket); look(); });
  });
  channels.subscribe('http.server.request.start', ({ response, server }) => {
    servers.add(server);
    requests[slot()]++;
    if (leaving) { response.shouldKeepAlive = false; return; }
    answers.add(response);
    response.once('close', () => answers.delete(response));
  });
  process.on('internalMessage', (message) => {
    if (!message) return;
    if (message.cmd === 'NODE_PMX' && message.act === 'ping') return tell('alive');
    if (message.cmd === 'NODE_PMX' && message.act === 'count') {
      slot();
      const more = { connections: sum(connections), requests: sum(requests) };
      return tell('traffic', { open: sockets.size, ...more });
    }
    const drain = message.cmd === 'NODE_PMX' && message.act === 'drain';
    const disconnect = message.cmd === 'NODE_CLUSTER' && message.act === 'disconnect';
    if (!drain && !disconnect) return;
    if (!leaving) {
      leaving = true;
      for (const response of answers) if (!response.headersSent) response.shouldKeepAlive = false;
      look();
    }
    // What becomes idle after the servers have closed would keep the worker until it is killed.
    if (disconnect) setInterval(() => {
      for (const server of servers) if (server.closeIdleConnections) server.closeIdleConnections();
    }, 100).unref();
  });
  tell('alive');
}
)js";

inline constexpr std::string_view kBunDrainHook = R"js('use strict';
// Written by pmx (drain_hook in docs/SETTINGS.md): tells clients of a worker that leaves to move.
if (typeof Bun !== 'undefined') {
  const http = require('node:http');
  let leaving = false;
  const told = (answer) => {
    if (!leaving || !(answer instanceof Response)) return answer;
    try {
      answer.headers.set('Connection', 'close');
      return answer;
    } catch {
      const copy = new Response(answer.body, answer);
      copy.headers.set('Connection', 'close');
      return copy;
    }
  };
  const ours = new WeakSet();
  const watched = (handler) => {
    if (typeof handler !== 'function' || ours.has(handler)) return handler;
    const watcher = function (...given) {
      const answer = handler.apply(this, given);
      return answer && typeof answer.then === 'function' ? answer.then(told) : told(answer);
    };
    ours.add(watcher);
    return watcher;
  };
  const each = (object, change) =>
    Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
  const is_plain = (value) => value && Object.getPrototypeOf(value) === Object.prototype;
  const of_path = (route) => is_plain(route) ? each(route, watched) : watched(route);
  const wrapped = (options) => {
    if (!options || !['object', 'function'].includes(typeof options)) return options;
    // A class's own methods would not know a copy.
    const own = is_plain(options)
      ? Object.create(Object.prototype, Object.getOwnPropertyDescriptors(options)) : options;
    try {
      if (own.fetch) own.fetch = watched(own.fetch);
      if (own.error) own.error = watched(own.error);
      if (is_plain(own.routes)) own.routes = each(own.routes, of_path);
    } catch {
      // What cannot be changed answers as it would without us.
    }
    return own;
  };
  const serve = Bun.serve;
  Bun.serve = (options) => {
    const server = serve.call(Bun, wrapped(options));
    const reload = server.reload;
    server.reload = (next) => reload.call(server, wrapped(next));
    return server;
  };
  const emit = http.Server.prototype.emit;
  http.Server.prototype.emit = function (name, ...given) {
    if (leaving && name === 'request') given[1].shouldKeepAlive = false;
    return emit.call(this, name, ...given);
  };
  process.on('SIGURG', () => { leaving = true; });
}
)js";

struct DrainHook {
  std::string_view runtime, option;
  std::string_view file;  // In the home.
  std::string_view text;
  int signal;  // That tells it to drain; 0: it is told over the channel.
};
inline constexpr DrainHook kDrainHooks[] = {
    {"node", "--require", "state/drain-hook.cjs", kNodeDrainHook, 0},
    {"bun", "--preload", "state/drain-hook-bun.cjs", kBunDrainHook, SIGURG},
};

}  // namespace pmx::supervisor
