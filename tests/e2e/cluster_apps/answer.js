// What every app of these tests answers: who it is, after as many milliseconds as the path says.
//
//   GET /      at once          GET /300          after 300 ms
//   GET /env   its environment  GET /halves/300   half of it at once, the rest after 300 ms
'use strict';
const cluster = require('cluster');
const fs = require('fs');
const path = require('path');

// The version is the variable VERSION, or what the file `version` beside the app says: a deploy changes either.
function version() {
  if (process.env.VERSION) return process.env.VERSION;
  try {
    return fs.readFileSync(path.join(__dirname, 'version'), 'utf8').trim();
  } catch {
    return '1';
  }
}

// As it was when the app began: `env` shows what Node has left of cluster's own variables.
const about = {pid: process.pid, instance: process.env.NODE_APP_INSTANCE, version: version()};
const whole = JSON.stringify(about);

function details() {
  return JSON.stringify({
    ...about, node: process.version, isWorker: cluster.isWorker, id: cluster.worker && cluster.worker.id,
    connected: process.connected, env: process.env,
  });
}

function send(response, body) {
  response.writeHead(200, {'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body)});
  response.end(body);
}

module.exports = (request, response) => {
  if (request.url === '/') return send(response, whole);
  if (request.url === '/env') return send(response, details());
  const match = /^\/(halves\/)?(\d+)$/.exec(request.url);
  if (!match) {
    response.writeHead(404, {'Content-Length': 0});
    return response.end();
  }
  const wait = Number(match[2]);
  if (!match[1]) return setTimeout(() => send(response, whole), wait);
  const half = whole.length >> 1;
  response.writeHead(200, {'Content-Type': 'application/json', 'Content-Length': whole.length});
  response.write(whole.slice(0, half));
  setTimeout(() => response.end(whole.slice(half)), wait);
};
