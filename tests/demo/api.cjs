// The demo's backend: a little orders API in Express, as it stands behind a gateway. It checks no
// token; it trusts the identity headers, which only the gateway can have set.
//
//   node api.cjs PORT

'use strict';

const express = require('express');

const orders = [
  { id: 1, item: 'teapot', quantity: 1 },
  { id: 2, item: 'cup', quantity: 6 },
  { id: 3, item: 'saucer', quantity: 6 },
];

const IDENTITY = [
  'x-consumer-id',
  'x-consumer-username',
  'x-consumer-custom-id',
  'x-credential-identifier',
  'x-authenticated-scope',
  'x-authenticated-userid',
  'x-anonymous-consumer',
  'x-request-id',
];

function api() {
  const app = express();
  app.disable('x-powered-by');
  app.use(express.json());

  app.get('/healthz', (req, res) => res.json({ status: 'ok' }));
  app.get('/orders', (req, res) => res.json(orders));
  app.get('/orders/whoami', (req, res) => {
    const present = IDENTITY.filter((name) => req.headers[name] !== undefined);
    res.json(Object.fromEntries(present.map((name) => [name, req.headers[name]])));
  });
  app.get('/orders/:id', (req, res) => {
    const order = orders.find(({ id }) => id === Number(req.params.id));
    if (order) res.json(order);
    else res.status(404).json({ error: 'no such order' });
  });
  app.post('/orders', (req, res) => {
    const { item, quantity = 1 } = req.body ?? {};
    if (typeof item !== 'string') return res.status(422).json({ error: 'an order needs an item' });
    const order = { id: orders.length + 1, item, quantity };
    orders.push(order);
    return res.status(201).json(order);
  });
  return app;
}

module.exports = { api };

if (require.main === module) {
  const port = Number(process.argv[2] ?? 3000);
  const server = api().listen(port, '127.0.0.1');
  server.on('listening', () =>
    console.log(`orders API on http://127.0.0.1:${server.address().port}`),
  );
  server.on('error', (error) => {
    if (error.code !== 'EADDRINUSE') throw error;
    console.error(
      `port ${port} is taken, so the orders API cannot start; choose another: API_PORT=3100 make run`,
    );
    process.exit(1);
  });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      server.close();
      server.closeAllConnections?.();
    });
  }
}
