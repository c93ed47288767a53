// GET /grow/220 adds 220 MiB to what it holds, and then answers. Other requests are answered as ever.
'use strict';
const answer = require('./answer');
const held = [];
require('http').createServer((request, response) => {
  const match = /^\/grow\/(\d+)$/.exec(request.url);
  if (match) {
    held.push(Buffer.alloc(Number(match[1]) << 20, 1));  // Written to: memory that is only promised is not counted.
    request.url = '/';
  }
  answer(request, response);
}).listen(process.env.PORT);
