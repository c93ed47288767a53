// https with key.pem and certificate.pem of its directory of work.
'use strict';
const fs = require('fs');
const server = require('https').createServer(
  {key: fs.readFileSync('key.pem'), cert: fs.readFileSync('certificate.pem')}, require('./answer'));
server.keepAliveTimeout = 120_000;  // Thousands of connections take their time.
server.listen(process.env.PORT);
