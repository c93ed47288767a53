// What a Node cluster worker is started with (node --require), so that its clients can be told to
// move before it leaves. It uses Node's public diagnostics channels only, answers to messages that
// apps do not see, and does nothing until it is asked.
//
// It also counts: new connections and requests of each second, for a minute, so that `pmx balance`
// can show them. That is an addition for each.
//
// Node itself never says `Connection: close` because a server closes: a client that sends one
// request after the other is cut off when the worker ends. Here, from {"act":"drain"} on, each
// answer says it; `drained` is told when no connection is left.
//
// Sources: https://nodejs.org/api/diagnostics_channel.html (http.server.request.start,
// net.server.socket), https://nodejs.org/api/http.html (closeIdleConnections).
#pragma once

#include <string_view>

namespace pmx::supervisor {

inline constexpr std::string_view kDrainHook = R"js('use strict';
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

}  // namespace pmx::supervisor
