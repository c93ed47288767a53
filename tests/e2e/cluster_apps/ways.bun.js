// All ways in which Bun answers: Bun.serve on $PORT, node:http on $HTTP_PORT, and what is exported on $EXPORT_PORT.
import http from 'node:http';

const answer = () => new Response('hello');
const server = Bun.serve({
  port: Number(process.env.PORT),
  routes: {
    '/route': answer,
    '/route/:name': (request) => new Response(request.params.name),
    '/method': {GET: async () => answer()},
    '/redirect': () => Response.redirect('/route'),
    '/throws': () => { throw new Error('as it should'); },
  },
  async fetch(request) {
    // What it answers with may not be changed.
    if (new URL(request.url).pathname === '/fetched') return fetch(`http://127.0.0.1:${process.env.HTTP_PORT}/`);
    await Bun.sleep(1);
    return answer();
  },
  error: () => new Response('sorry', {status: 500}),
});
http.createServer((request, response) => response.end('hello')).listen(Number(process.env.HTTP_PORT), '127.0.0.1');
process.on('SIGUSR2', () => server.reload({routes: {'/reloaded': answer}, fetch: () => new Response('', {status: 404})}));

export default class {
  static port = Number(process.env.EXPORT_PORT);
  static fetch() { return answer(); }
}
