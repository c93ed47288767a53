// Listens wherever its arguments say, each one what server.listen() takes, as JSON, with these more:
//
//   "again": true     close it once it listens, and listen again
//   "twice": true     listen on the same once more, with a second server
//
// What became of each is kept in listen-<instance>.json, in the order of the arguments: {address} or {error} with
// the error's code, syscall, errno, message, address and port. It goes on in either case.
'use strict';
const fs = require('fs');
const http = require('http');
const answer = require('./answer');

const file = `listen-${process.env.NODE_APP_INSTANCE}.json`;

function listen({again, twice, ...options}) {
  return new Promise((resolve) => {
    const server = http.createServer(answer);
    server.once('error', ({code, syscall, errno, message, address, port}) => {
      resolve([{error: {code, syscall, errno, message, address, port}}]);
    });
    server.listen(options, () => {
      if (again) return server.close(() => resolve(listen(options)));
      const here = {address: server.address()};
      if (!twice) return resolve([here]);
      listen(options).then((second) => resolve([here, ...second]));
    });
  });
}

(async () => {
  const became = [];
  for (const word of process.argv.slice(2)) became.push(...await listen(JSON.parse(word)));
  fs.writeFileSync(file + '.new', JSON.stringify({pid: process.pid, became}));
  fs.renameSync(file + '.new', file);  // Whole or not there.
  setInterval(() => {}, 1000);         // It stays, also where nothing listens.
})();
