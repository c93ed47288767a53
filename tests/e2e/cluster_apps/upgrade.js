// A websocket without its framing: after the upgrade each line comes back with the worker's pid before it, for as long
// as the connection lasts. Other requests are answered as ever.
'use strict';
const server = require('http').createServer(require('./answer'));
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n');
  let rest = '';
  socket.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    for (const line of lines) socket.write(`${process.pid} ${line}\n`);
  });
  socket.on('error', () => {});
});
server.listen(process.env.PORT);
