// A plain server of Bun's own, which knows nothing of clusters: it finishes its requests on SIGTERM.
// GET / says who answers, GET /300 after 300 ms.
const about = JSON.stringify({pid: process.pid, instance: process.env.NODE_APP_INSTANCE, version: '1'});
const server = Bun.serve({
  port: Number(process.env.PORT),
  async fetch(request) {
    await Bun.sleep(Number(new URL(request.url).pathname.slice(1)));
    return new Response(about);
  },
});
process.on('SIGTERM', async () => {
  await server.stop();
  process.exit(0);
});
