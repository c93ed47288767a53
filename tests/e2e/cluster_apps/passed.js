// A server that is started with its socket: it says that it is ready, and finishes its requests on SIGTERM.
'use strict';
const answer = require('./answer');
const server = require('http').createServer(answer);
server.listen({fd: 3}, () => process.send && process.send('ready'));
const end = () => server.close(() => process.exit(0));
if (process.env.GOODBYE) process.on('SIGTERM', end).on('SIGINT', end);
