// A plain server of Deno's: with HTTP_PORT by node:http, with PORT by Deno.serve. It handles no signals.
// GET / says who answers, GET /300 after 300 ms.
import http from 'node:http';
import process from 'node:process';

const about = JSON.stringify({pid: process.pid, instance: process.env.NODE_APP_INSTANCE, version: '1'});
const pause = (path) => new Promise((done) => setTimeout(done, Number(path.slice(1))));
const httpPort = Number(process.env.HTTP_PORT), port = Number(process.env.PORT);
if (httpPort) {
  http.createServer(async (request, response) => {
    await pause(request.url);
    response.end(about);
  }).listen(httpPort);
}
if (port !== httpPort) {
  Deno.serve({port}, async (request) => {
    await pause(new URL(request.url).pathname);
    return new Response(about);
  });
}
