// Moments in UTC, exact to the nanosecond.

/** Nanoseconds since 1970 of an ISO 8601 UTC moment with up to nine decimals. */
export function nanoseconds(iso: string): bigint {
  const match = /^(.*?)(?:\.(\d{1,9}))?Z?$/.exec(iso);
  const whole = Date.parse(`${match?.[1] ?? ""}Z`);
  if (Number.isNaN(whole)) throw new Error(`not a UTC moment: ${iso}`);
  return BigInt(whole) * 1_000_000n + BigInt((match?.[2] ?? "").padEnd(9, "0"));
}
