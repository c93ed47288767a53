// A broken release with manners: it listens, sees 150 ms later that it cannot work, answers what it was asked, and
// ends with an error.
'use strict';
const server = require('http').createServer(require('./answer'));
server.listen(process.env.PORT, () => {
  setTimeout(() => {
    console.error('the database is of another version');
    server.close(() => process.exit(3));
  }, 150);
});
