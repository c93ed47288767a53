// What a Node cluster worker is started with (node --require), so that its clients can be told to
// move before it leaves. It uses Node's public diagnostics channels only, answers to messages that
// apps do not see, and does nothing until it is asked.
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
  const tell = (act) => {
    try { if (process.connected) process.send({ cmd: 'NODE_PMX', act }); } catch {}
  };
  const look = () => {
    if (!leaving || told || sockets.size > 0) return;
    told = true;
    tell('drained');
  };
  channels.subscribe('net.server.socket', ({ socket }) => {
    if (!socket) return;
    sockets.add(socket);
    socket.once('close', () => { sockets.delete(socket); look(); });
  });
  channels.subscribe('http.server.request.start', ({ response, server }) => {
    servers.add(server);
    if (leaving) { response.shouldKeepAlive = false; return; }
    answers.add(response);
    response.once('close', () => answers.delete(response));
  });
  process.on('internalMessage', (message) => {
    if (!message) return;
    if (message.cmd === 'NODE_PMX' && message.act === 'ping') return tell('alive');
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
