// Waiting for things to become true. Everything has a deadline, so a broken gateway fails a test and
// never hangs it; nothing here waits for time to pass alone.

const DEADLINE_MS = 10_000;

/** Resolves to the first truthy value of `probe()`, asked again every few milliseconds. */
export async function until(probe, what, deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await new Promise((resume) => setTimeout(resume, 5));
  }
}

/** A promise with its handles outside, for "hold this until I say so". */
export function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Lines of a stream, kept, and waited for by pattern. */
export class Lines {
  #rest = '';
  #waiters = new Set();
  all = [];

  constructor(stream) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => this.#take(text));
  }

  #take(text) {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop();
    for (const line of parts) {
      this.all.push(line);
      for (const waiter of this.#waiters) waiter(line);
    }
  }

  text() {
    return this.all.join('\n');
  }

  /** Resolves to the first line, from number `from` on, for which `accepts(line)` is truthy. */
  find(accepts, what, from = 0, deadlineMs = DEADLINE_MS) {
    const known = this.all.slice(from).find(accepts);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const done = (settle, value) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        settle(value);
      };
      const waiter = (line) => {
        if (accepts(line)) done(resolve, line);
      };
      const timer = setTimeout(
        () =>
          done(
            reject,
            new Error(
              `no line with ${what} within ${deadlineMs} ms; the log says:\n${this.text()}`,
            ),
          ),
        deadlineMs,
      );
      this.#waiters.add(waiter);
    });
  }
}
