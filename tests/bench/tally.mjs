// Counts what was right and tells what was wrong.

export const tally = { passed: 0, failed: 0 };

/** `wrong` is null, or says what is. */
export function expect(what, wrong) {
  if (wrong === null) {
    tally.passed += 1;
    return;
  }
  tally.failed += 1;
  console.error(`FAIL  ${what}: ${wrong}`);
}
