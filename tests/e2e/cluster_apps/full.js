// Takes one connection at a time and refuses the others. GET /refused says how often it has done so.
'use strict';
const answer = require('./answer');
let offered = 0, taken = 0;
process.on('internalMessage', (message) => { if (message && message.act === 'newconn') offered++; });
const server = require('http').createServer((request, response) => {
  if (request.url !== '/refused') return answer(request, response);
  response.end(JSON.stringify({pid: process.pid, refused: offered - taken}));
});
server.on('connection', () => { taken++; });
server.maxConnections = 1;
server.listen(process.env.PORT);
