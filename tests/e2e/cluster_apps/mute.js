// A broken release: it runs, and never listens.
'use strict';
console.error('waiting for a database that is not there');
setInterval(() => {}, 1000);
