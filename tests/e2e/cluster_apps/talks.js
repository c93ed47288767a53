// What a worker may do with its channel and with cluster.worker, each asked for by a path:
//
//   /send?<bytes>   sends a message of so many bytes to the parent
//   /hand           sends the request's own socket to the parent, then answers
//   /child          starts a child and answers with the descriptors (above 2) and the environment that it has
//   /disconnect     answers, then cluster.worker.disconnect()
//   /kill           answers, then cluster.worker.kill()
'use strict';
const cluster = require('cluster');
const {execFile} = require('child_process');
const http = require('http');
const answer = require('./answer');

const child = `const fs = require('fs');
const open = fs.readdirSync('/proc/self/fd').filter((fd) => fd > 2).map((fd) => {
  try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } });
console.log(JSON.stringify({open, env: process.env}));`;

http.createServer((request, response) => {
  const [path, detail] = request.url.split('?');
  const done = () => { request.url = '/'; answer(request, response); };
  if (path === '/send') return process.send({text: 'x'.repeat(Number(detail))}, done);
  if (path === '/hand') return process.send({a: 'socket'}, request.socket, {keepOpen: true}, done);
  if (path === '/disconnect' || path === '/kill') {
    response.on('finish', () => cluster.worker[path.slice(1)]());
    response.setHeader('Connection', 'close');
    return done();
  }
  if (path !== '/child') return answer(request, response);
  execFile(process.execPath, ['-e', child], (error, out) => {
    response.end(error ? JSON.stringify({error: String(error)}) : out);
  });
}).listen(process.env.PORT);
