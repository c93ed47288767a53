// Listens at once and is ready READY_AFTER ms later, which it says (wait_ready). Told to shut down
// (shutdown_with_message), it closes its server and ends by itself. It prints when it begins and when it is ready.
'use strict';
const print = (what) => console.log(`${process.pid} ${what} ${Date.now()}`);
print('begins');
const server = require('http').createServer(require('./answer'));
server.listen(process.env.PORT, () => {
  setTimeout(() => {
    print('is-ready');  // Before it is said: nothing follows from it yet.
    process.send('ready');
  }, Number(process.env.READY_AFTER || 0));
});
process.on('message', (message) => {
  if (message !== 'shutdown') return;
  console.log('told to shut down');
  server.close(() => process.exit(0));
});
