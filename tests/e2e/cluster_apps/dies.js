// A broken release: it listens, answers, and dies 150 ms later.
'use strict';
require('http').createServer(require('./answer')).listen(process.env.PORT, () => {
  setTimeout(() => { throw new Error('the database has refused us'); }, 150);
});
