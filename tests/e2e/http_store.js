// An HTTP server that keeps the NDJSON lines it is sent, for the tests of what lies between a sink
// and its store: HTTP/2 by ALPN, IPv6, a proxy in front. Prints its port, then appends each request's
// protocol and lines to a file.
//
//   node http_store.js <file> <host> [<key.pem> <certificate.pem>]     a store
//   node http_store.js --proxy <file>                                  a CONNECT proxy that notes whom it was asked for
'use strict';
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const net = require('net');

function store(file, host, key, certificate) {
  const take = (request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      const lines = body.split('\n').filter(Boolean).map((line) => JSON.parse(line));
      fs.appendFileSync(file, lines.map((line) => JSON.stringify(
          {version: request.httpVersion, line}) + '\n').join(''));
      response.statusCode = 204;
      response.end();
    });
  };
  const server = key
    ? http2.createSecureServer({key: fs.readFileSync(key), cert: fs.readFileSync(certificate), allowHTTP1: true}, take)
    : http.createServer(take);
  server.listen(0, host, () => console.log(server.address().port));
}

function proxy(file) {
  const server = http.createServer((request, response) => {
    response.statusCode = 405;
    response.end();
  });
  server.on('connect', (request, client, head) => {
    fs.appendFileSync(file, request.url + '\n');
    const {hostname, port} = new URL('http://' + request.url);
    const upstream = net.connect(port, hostname, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

const args = process.argv.slice(2);
if (args[0] === '--proxy') proxy(args[1]);
else store(...args);
