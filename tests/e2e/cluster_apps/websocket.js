// Websockets (RFC 6455) by hand, of short texts: each comes back with the worker's pid before it, for as long as the
// connection lasts. Other requests are answered as ever.
'use strict';
const {createHash} = require('crypto');
const server = require('http').createServer(require('./answer'));

// The payload of each whole frame that `data` begins with, and what is left. Clients mask theirs.
function frames(data) {
  const found = [];
  while (data.length >= 6 && data.length >= 6 + (data[1] & 127)) {
    const size = data[1] & 127;
    const mask = data.subarray(2, 6);
    if ((data[0] & 15) === 8) return {found, over: true};
    found.push(Buffer.from(data.subarray(6, 6 + size)).map((byte, i) => byte ^ mask[i % 4]).toString());
    data = data.subarray(6 + size);
  }
  return {found, rest: data};
}

server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] +
                                           '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
               `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let rest = Buffer.alloc(0);
  socket.on('data', (data) => {
    const read = frames(Buffer.concat([rest, data]));
    for (const text of read.found) {
      const body = Buffer.from(`${process.pid} ${text}`);
      socket.write(Buffer.concat([Buffer.from([0x81, body.length]), body]));
    }
    if (read.over) return socket.end();
    rest = read.rest;
  });
  socket.on('error', () => {});
});
server.listen(process.env.PORT);
