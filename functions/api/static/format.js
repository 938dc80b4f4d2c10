// Numbers with their units, in English.

const SPACE = "\u00a0";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function count(value) {
  return whole.format(value);
}

/** A count in little room: 1.2K, 3M. */
export function roughCount(value) {
  return compact.format(value);
}

/** A duration, given in seconds, in whole milliseconds or with three digits: 1,019 ms, 12.3 ms, 87 µs, 12.3 s. None is a dash. */
export function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds === 0) return `0${SPACE}ms`;
  if (seconds < 0.001) return `${three.format(seconds * 1e6)}${SPACE}µs`;
  if (seconds >= 10) return `${digits(seconds)}${SPACE}s`;
  return `${digits(seconds * 1000)}${SPACE}ms`;
}

function digits(value) {
  return (value < 100 ? three : whole).format(value);
}

/** Percent of requests without a server error, rounded down: 100 % is only what had none at all. */
export function uptime(total, serverErrors) {
  const thousandths = (BigInt(total - serverErrors) * 100_000n) / BigInt(total);
  return thousandths === 100_000n ? percent(100) : `${(Number(thousandths) / 1000).toFixed(3)}${SPACE}%`;
}

/** A percentage with up to three decimals. */
export function percent(value) {
  return `${Number(value.toFixed(3))}${SPACE}%`;
}

/** A part of a whole, in percent. */
export function share(part, total) {
  const value = (100 * part) / total;
  if (part && value < 0.1) return `<${SPACE}0.1${SPACE}%`;
  return `${value.toFixed(1)}${SPACE}%`;
}

/** A ratio less one, with its sign: +12.3 %. None is a dash. */
export function percentChange(ratio) {
  return ratio === null ? "–" : `${sign(ratio)}${digits(Math.abs(100 * ratio))}${SPACE}%`;
}

/** A difference of percentages, with its sign. */
export function pointsChange(difference) {
  return difference === null ? "–" : `${sign(difference)}${Number(Math.abs(difference).toFixed(2))}${SPACE}points`;
}

function sign(value) {
  return value < 0 ? "\u2212" : value > 0 ? "+" : "±";
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A point in time, ISO 8601, as 2024-10-03 12:34:56 UTC. */
export function instant(text) {
  return `${new Date(text).toISOString().slice(0, 19).replace("T", " ")}${SPACE}UTC`;
}
