// From values to positions, and the round values to label.

/** A linear scale from 0 (or `low`) to a round number that holds the highest value. */
export function linear(high, { low = 0, count = 5, least = 0 } = {}) {
  const step = Math.max(roundStep((high - low || 1) / count), least);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  const [bottom, top] = [ticks[0], ticks.at(-1)];
  return { ticks, bottom, at: (value) => (value - bottom) / (top - bottom) };
}

/** A logarithmic scale over positive values, from 1, 2 or 5 times a power of ten to another. */
export function logarithmic(low, high) {
  const marks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const digit of [1, 2, 5]) marks.push(Number(`${digit}e${power}`));
  }
  const first = marks.findLastIndex((mark) => mark <= low);
  const last = Math.max(marks.findIndex((mark) => mark >= high), first + 1);
  const [bottom, top] = [marks[first], marks[last]].map(Math.log10);
  const within = marks.slice(first, last + 1);
  const ticks = within.length <= 7 ? within : within.filter((mark) => /^1/.test(mark.toExponential()));
  return { ticks, bottom: marks[first], at: (value) => (Math.log10(value) - bottom) / (top - bottom) };
}

/** The round step, 1, 2 or 5 times a power of ten, that is not less than one given. */
function roundStep(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  const digit = [1, 2, 5, 10].find((candidate) => candidate * power >= step * (1 - 1e-9));
  return Number((digit * power).toPrecision(12));
}
