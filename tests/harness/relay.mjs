// A piece of network between two programs, which a test can cut or leave hanging.

import { once } from 'node:events';
import net from 'node:net';

/** Listens on a port of its own and passes bytes on to `port` on this machine. */
export async function relay(port) {
  const pairs = new Set();
  let held = false;
  const flow = (pair) => {
    if (held) pair.forEach((socket) => socket.pause());
    else pair.forEach((socket) => socket.resume());
  };
  const server = net.createServer({ noDelay: true }, (near) => {
    const far = net.connect({ port, host: '127.0.0.1', noDelay: true });
    const pair = [near, far];
    pairs.add(pair);
    pair.forEach((socket, i) => {
      const other = pair[1 - i];
      socket.on('data', (part) => other.write(part));
      socket.on('end', () => other.end());
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        other.destroy();
      });
    });
    flow(pair);
  });
  const listen = async (on) => {
    server.listen(on, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const own = server.address().port;
  const drop = () => pairs.forEach((pair) => pair.forEach((socket) => socket.resetAndDestroy()));

  return {
    port: own,
    get open() {
      return pairs.size;
    },
    /** All connections break, and new ones are refused. */
    cut: () =>
      new Promise((done) => {
        server.close(done);
        drop();
      }),
    mend: () => listen(own),
    /** Nothing passes any more, and nobody is told: as when a cable is pulled. */
    hold: () => {
      held = true;
      pairs.forEach(flow);
    },
    letGo: () => {
      held = false;
      pairs.forEach(flow);
    },
    stop: () =>
      new Promise((done) => {
        if (server.listening) server.close(done);
        else done();
        drop();
      }),
  };
}
