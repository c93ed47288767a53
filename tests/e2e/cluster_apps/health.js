// A release with a page about its health: it prints who was asked, and what the page says is up to the variables
// HEALTH_STATUS and HEALTH_BODY, or to WARM_MS: for so long after its start it is not well.
'use strict';
const answer = require('./answer');
const began = Date.now();
require('http').createServer((request, response) => {
  if (request.url !== '/health') return answer(request, response);
  console.log(`${process.pid} was asked`);
  const warm = Date.now() - began >= Number(process.env.WARM_MS || 0);
  const status = warm ? Number(process.env.HEALTH_STATUS || 200) : 503;
  if (status !== 200) console.error(`the database says no to ${process.pid}`);
  response.writeHead(status, {'Content-Type': 'text/plain'});
  response.end(process.env.HEALTH_BODY || 'db: up');
}).listen(process.env.PORT);
