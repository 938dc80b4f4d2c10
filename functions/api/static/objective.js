// An uptime objective, judged in integers: percent are thousandths here, so that 99.9 % of 1000 is 999.

const WHOLE = 100_000n;

/** Read an objective: a number of 0 to 100 with up to three decimals, or null. */
export function readObjective(text) {
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(text) || Number(text) > 100) return null;
  return Number(text);
}

/** Did a period with these requests and server errors miss the objective? */
export function missed(row, objective) {
  return BigInt(row.total_requests - row.server_errors) * WHOLE < thousandths(objective) * BigInt(row.total_requests);
}

/** How many server errors the objective allows in so many requests. */
export function allowance(total, objective) {
  return Number((BigInt(total) * (WHOLE - thousandths(objective))) / WHOLE);
}

function thousandths(objective) {
  return BigInt(Math.round(objective * 1000));
}
