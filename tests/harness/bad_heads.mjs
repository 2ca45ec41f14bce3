// Heads that no proxy may let through: name, bytes, and the statuses
// that refuse it where they are not just 400. `T` is an Authorization line with a good token, so that
// nothing here is refused for lack of one.

const EOL = '\r\n';

/** A head of these lines; the first of them is the request line. */
const lines = (...all) => `${all.join(EOL)}${EOL}${EOL}`;

/** A good GET but for the lines put in after Host. */
const get = (T, ...more) => lines('GET /orders HTTP/1.1', 'Host: a', T, ...more);
const post = (T, body, ...more) =>
  `${lines('POST /orders HTTP/1.1', 'Host: a', T, ...more)}${body}`;
const line = (T, first) => lines(first, 'Host: a', T);
const host = (T, ...hosts) => lines('GET /orders HTTP/1.1', ...hosts, T);

const lineEnds = (T) => ({
  'LF after the request line': `GET /orders HTTP/1.1\nHost: a\r\n${T}\r\n\r\n`,
  'LF everywhere': `GET /orders HTTP/1.1\nHost: a\n${T}\n\n`,
  'LF after a field': `GET /orders HTTP/1.1\r\nHost: a\n${T}\r\n\r\n`,
  'LF as the last empty line': `GET /orders HTTP/1.1\r\nHost: a\r\n${T}\r\n\n`,
  'CR as the end of a field': get(T, 'X: a\rY: b'),
  'CR that hides Transfer-Encoding': post(
    T,
    '0\r\n\r\n',
    'X:\rTransfer-Encoding: chunked',
    'Content-Length: 5',
  ),
  'CR CR LF': `GET /orders HTTP/1.1\r\nHost: a\r\r\n${T}\r\n\r\n`,
  'CR and a letter as the last empty line': `GET /orders HTTP/1.1\r\nHost: a\r\n${T}\r\n\rX\r\n\r\n`,
  'CR in the target': line(T, 'GET /ord\rers HTTP/1.1'),
  'an empty line first': `\r\n${get(T)}`,
  'a bare LF first': `\n${get(T)}`,
  'a bare CR first': `\r${get(T)}`,
  'two empty lines first': `\r\n\r\n${get(T)}`,
});

const folds = (T) => ({
  'a folded value': get(T, 'X: a\r\n b'),
  'a value folded by a tab': get(T, 'X: a\r\n\tb'),
  'a folded Content-Length': post(T, 'hello', 'Content-Length:\r\n 5'),
  'a folded Transfer-Encoding': post(T, '0\r\n\r\n', 'Transfer-Encoding:\r\n chunked'),
  'a folded Host': lines('GET /orders HTTP/1.1', 'Host:\r\n a', T),
  'a fold right after the request line': lines('GET /orders HTTP/1.1', ' X: a', 'Host: a', T),
  'a line of one space': get(T, 'X: a', ' '),
  'a space before the colon': get(T, 'X : a'),
  'a tab before the colon': get(T, 'X\t: a'),
  'a space before the colon of Content-Length': post(T, 'hello', 'Content-Length : 5'),
  'a space before the colon of Transfer-Encoding': post(
    T,
    '0\r\n\r\n',
    'Transfer-Encoding : chunked',
  ),
  'a space before the colon of Host': lines('GET /orders HTTP/1.1', 'Host : a', T),
});

const fields = (T) => ({
  'an empty name': get(T, ': a'),
  'a line without a colon': get(T, 'nonsense'),
  'NUL in a name': get(T, 'X\0Y: a'),
  'NUL in a value': get(T, 'X: a\0b'),
  'a control character in a value': get(T, 'X: a\x01b'),
  'DEL in a value': get(T, 'X: a\x7fb'),
  'a vertical tab in a value': get(T, 'X: a\x0bb'),
  'a control character in a name': get(T, 'X\x01Y: a'),
  'eight bits in a name': get(T, 'X\xe9: a'),
  'a space in a name': get(T, 'X Y: a'),
  'a slash in a name': get(T, 'X/Y: a'),
  'a bracket in a name': get(T, 'X[0]: a'),
  'a quote in a name': get(T, '"X": a'),
});

const VERSION = [400, 505];
const requestLines = (T) => ({
  'two spaces before the target': line(T, 'GET  /orders HTTP/1.1'),
  'two spaces after the target': line(T, 'GET /orders  HTTP/1.1'),
  'a tab after the method': line(T, 'GET\t/orders HTTP/1.1'),
  'a space at the end of the line': line(T, 'GET /orders HTTP/1.1 '),
  'a space at its start': line(T, ' GET /orders HTTP/1.1'),
  'no target': line(T, 'GET HTTP/1.1'),
  'an empty target': line(T, 'GET  HTTP/1.1'),
  'no version': [line(T, 'GET /orders'), VERSION],
  'HTTP/0.9': [line(T, 'GET /orders HTTP/0.9'), VERSION],
  'HTTP/1.2': [line(T, 'GET /orders HTTP/1.2'), VERSION],
  'HTTP/2.0': [line(T, 'GET /orders HTTP/2.0'), VERSION],
  'HTTP/9.9': [line(T, 'GET /orders HTTP/9.9'), VERSION],
  'HTTP/1.10': [line(T, 'GET /orders HTTP/1.10'), VERSION],
  'HTTP/01.1': [line(T, 'GET /orders HTTP/01.1'), VERSION],
  'HTTP/1': [line(T, 'GET /orders HTTP/1'), VERSION],
  'http/1.1': [line(T, 'GET /orders http/1.1'), VERSION],
  'HTTPS/1.1': [line(T, 'GET /orders HTTPS/1.1'), VERSION],
  'RTSP/1.0': [line(T, 'GET /orders RTSP/1.0'), VERSION],
  'letters after the version': [line(T, 'GET /orders HTTP/1.1x'), VERSION],
  'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 405, 501, 505]],
  'a TLS hello': [
    `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'\xaa'.repeat(32)}\r\n\r\n`,
    [400, 501],
  ],
  'a target without a slash': line(T, 'GET orders HTTP/1.1'),
  'an asterisk for GET': line(T, 'GET * HTTP/1.1'),
  'a fragment in the target': line(T, 'GET /orders#top HTTP/1.1'),
  'a backslash in the target': line(T, 'GET /orders\\x HTTP/1.1'),
  'eight bits in the target': line(T, 'GET /ord\xe9rs HTTP/1.1'),
  'a control character in the target': line(T, 'GET /ord\x01ers HTTP/1.1'),
  'DEL in the target': line(T, 'GET /ord\x7fers HTTP/1.1'),
});

const METHODS = {
  get: [400, 501],
  Get: [400, 501],
  GETX: [400, 501],
  'G\x01T': [400, 501],
  TRACE: 405,
  CONNECT: [400, 405],
  PROPFIND: 501,
  'M-SEARCH': 501,
  DESCRIBE: 501,
  SETUP: 501,
  PLAY: 501,
  SOURCE: 501,
  LINK: 501,
  QUERY: 501,
  FOO: 501,
};
const methods = (T) =>
  Object.fromEntries(
    Object.entries(METHODS).map(([method, status]) => [
      `the method ${JSON.stringify(method)}`,
      [line(T, `${method} /orders HTTP/1.1`), status],
    ]),
  );

const hosts = (T) => ({
  'no Host': lines('GET /orders HTTP/1.1', T),
  'two Hosts': host(T, 'Host: a', 'Host: b'),
  'one Host twice': host(T, 'Host: a', 'Host: a'),
  'an empty Host': host(T, 'Host:'),
  'user information in Host': host(T, 'Host: user@a'),
  'a path in Host': host(T, 'Host: a/orders'),
  'a query in Host': host(T, 'Host: a?b'),
  'a comma in Host': host(T, 'Host: a, b'),
  'a space in Host': host(T, 'Host: a b'),
  'a port of letters': host(T, 'Host: a:http'),
  'a port too large': host(T, 'Host: a:70000'),
  'a negative port': host(T, 'Host: a:-1'),
  'two ports': host(T, 'Host: a:1:2'),
  'a URL in Host': host(T, 'Host: http://a'),
  'a bracket left open in Host': host(T, 'Host: [::1'),
  'a backslash in Host': host(T, 'Host: a\\b'),
  'an absolute target unlike Host': host(T, 'Host: b').replace('GET /', 'GET http://a/'),
  'an absolute target with a port unlike Host': host(T, 'Host: a:1').replace(
    'GET /',
    'GET http://a:2/',
  ),
  'an absolute target with user information': host(T, 'Host: a').replace(
    'GET /',
    'GET http://u@a/',
  ),
  'an absolute target without a host': host(T, 'Host: a').replace('GET /', 'GET http:///'),
  'an absolute target of another scheme': host(T, 'Host: a').replace('GET /', 'GET ftp://a/'),
  'an absolute target and no Host': lines('GET http://a/orders HTTP/1.1', T),
});

const LENGTHS = [
  '+5',
  '-5',
  '5 6',
  '5,5',
  '5, 5',
  '0x5',
  '',
  '05',
  '5.0',
  '5;',
  '1e1',
  'five',
  '5\x0b',
  '18446744073709551616',
  '18446744073709551621',
  '99999999999999999999999',
  '9223372036854775808',
];
const CODINGS = [
  'gzip',
  'identity',
  'xchunked',
  'chunkedx',
  'chunked, chunked',
  'chunked,gzip',
  'gzip, chunked',
  ',chunked',
  'chunked,',
  '"chunked"',
  'chunked;q=1',
  'chunked\x0b',
  '\x0bchunked',
  '',
  'chunk',
  'chunked chunked',
  "'chunked'",
];
const framing = (T) => ({
  'Content-Length and Transfer-Encoding': post(
    T,
    '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
  ),
  'Transfer-Encoding and Content-Length': post(
    T,
    '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
    'Transfer-Encoding: chunked',
    'Content-Length: 5',
  ),
  'two unequal lengths': post(T, 'hello', 'Content-Length: 5', 'Content-Length: 6'),
  'two equal lengths': post(T, 'hello', 'Content-Length: 5', 'Content-Length: 5'),
  'two codings': post(T, '0\r\n\r\n', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
  'two codings, the second unknown': post(
    T,
    '0\r\n\r\n',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: x',
  ),
  'a coding in HTTP/1.0': post(T, '0\r\n\r\n', 'Transfer-Encoding: chunked').replace(
    'HTTP/1.1',
    'HTTP/1.0',
  ),
  ...Object.fromEntries(
    LENGTHS.map((length) => [
      `Content-Length ${JSON.stringify(length)}`,
      post(T, 'hello', `Content-Length: ${length}`),
    ]),
  ),
  ...Object.fromEntries(
    CODINGS.map((coding) => [
      `Transfer-Encoding ${JSON.stringify(coding)}`,
      [post(T, '0\r\n\r\n', `Transfer-Encoding: ${coding}`), [400, 501]],
    ]),
  ),
});

const sizes = (T) => ({
  '101 fields': [get(T, ...Array.from({ length: 99 }, (_, i) => `X-${i}: a`)), 431],
  'a head over 16 KiB': [
    get(T, ...Array.from({ length: 20 }, (_, i) => `X-${i}: ${'a'.repeat(1000)}`)),
    431,
  ],
  'a field over 16 KiB': [get(T, `X: ${'a'.repeat(17_000)}`), 431],
  'a name over 16 KiB': [get(T, `${'X'.repeat(17_000)}: a`), 431],
  'a target over 8 KiB': [line(T, `GET /${'a'.repeat(8_200)} HTTP/1.1`), 414],
});

/** All of them, as [name, bytes, statuses]. */
export function badHeads(token) {
  const T = `Authorization: Bearer ${token}`;
  const groups = [lineEnds, folds, fields, requestLines, methods, hosts, framing, sizes];
  return groups.flatMap((group) =>
    Object.entries(group(T)).map(([name, value]) => {
      const [bytes, statuses = 400] = Array.isArray(value) ? value : [value];
      return [name, bytes, [].concat(statuses)];
    }),
  );
}

const BODIES = {
  'LF after the size': '5\nhello\r\n0\r\n\r\n',
  'LF after the data': '5\r\nhello\n0\r\n\r\n',
  'no line end after the data': '5\r\nhelloXX0\r\n\r\n',
  'a size with 0x': '0x5\r\nhello\r\n0\r\n\r\n',
  'a size with a plus': '+5\r\nhello\r\n0\r\n\r\n',
  'a size with a minus': '-5\r\nhello\r\n0\r\n\r\n',
  'a space before the size': ' 5\r\nhello\r\n0\r\n\r\n',
  'a space after the size': '5 \r\nhello\r\n0\r\n\r\n',
  'an underscore in the size': '0_5\r\nhello\r\n0\r\n\r\n',
  'no size': '\r\nhello\r\n0\r\n\r\n',
  'a letter for the size': 'g\r\nhello\r\n0\r\n\r\n',
  'a size of 17 digits': '00000000000000005\r\nhello\r\n0\r\n\r\n',
  'a size over 64 bits': 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
  'a bare semicolon': '5;\r\nhello\r\n0\r\n\r\n',
  'LF in an extension': '5;a=b\nX: y\r\nhello\r\n0\r\n\r\n',
  'CR in an extension': '5;a=b\rX: y\r\nhello\r\n0\r\n\r\n',
  'NUL in an extension': '5;a=\0\r\nhello\r\n0\r\n\r\n',
  'an extension of 20 KiB': `5;a=${'b'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`,
  'extensions of 20 KiB together': `${`1;a=${'b'.repeat(200)}\r\nx\r\n`.repeat(100)}0\r\n\r\n`,
  'LF as the last empty line': '5\r\nhello\r\n0\r\n\n',
  'LF after the last chunk': '5\r\nhello\r\n0\n\r\n',
  'letters after the last chunk': '5\r\nhello\r\n0\r\nXX\r\n\r\n',
  'a trailer that ends in LF': '5\r\nhello\r\n0\r\nX: y\n\r\n',
  'a folded trailer': '5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n',
  'NUL in a trailer': '5\r\nhello\r\n0\r\nX: \0\r\n\r\n',
  'trailers without end': `5\r\nhello\r\n0\r\n${'X: yyyyyyyy\r\n'.repeat(3_000)}\r\n`,
};

/** Chunked bodies that are none, as [name, bytes]. */
export function badBodies(token) {
  const top = lines(
    'POST /orders HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${token}`,
    'Transfer-Encoding: chunked',
  );
  return Object.entries(BODIES).map(([name, body]) => [name, `${top}${body}`]);
}

const SKIP = new Set([0x09, 0x20]);

/**
 * The ways of the tool "smuggler" to misspell Transfer-Encoding, as [name, the misspelt line]: one
 * odd byte in each place where some parser has once overlooked it.
 */
export function misspeltCodings() {
  const places = [
    (c) => `Transfer-Encoding${c}: chunked`,
    (c) => `Transfer-Encoding:${c}chunked`,
    (c) => `${c}Transfer-Encoding: chunked`,
    (c) => `Transfer-Encoding: chunked${c}`,
    (c) => `Transfer-Encoding: ${c}chunked`,
    (c) => `X: y${c}Transfer-Encoding: chunked`,
    (c) => `X: y\r${c}Transfer-Encoding: chunked`,
  ];
  const bytes = Array.from({ length: 256 }, (_, code) => code).filter((code) => !SKIP.has(code));
  return places.flatMap((place, i) =>
    bytes.map((code) => [`place ${i}, byte ${code}`, place(String.fromCharCode(code))]),
  );
}
