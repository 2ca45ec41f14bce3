// What is measured: one row each. `token` names one of the tokens of tokens.mjs (or null), `status`
// is the answer every single request must get.

export const CASES = [
  {
    name: 'one-token',
    title: 'one cached token',
    path: '/orders/17?fields=item,quantity',
    token: 'good',
    status: 200,
  },
];

/** Sent once to each peer that authenticates, before any load: each must be refused. */
export const REFUSED = [null, 'expired', 'altered', 'unsigned'];
