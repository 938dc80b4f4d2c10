// Calendar arithmetic in UTC. A day is a number, days since 1970-01-01, or its text YYYY-MM-DD.

const DAY_MS = 86_400_000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const SHAPE = /^\d{4}-\d{2}-\d{2}$/;

/** Log lines are of these days; a chart beyond them would only be longer. */
export const FIRST_DAY = toDay("1970-01-01");
export const LAST_DAY = toDay("2199-12-31");

export function toDay(text) {
  return Date.parse(`${text}T00:00:00Z`) / DAY_MS;
}

export function toText(day) {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Is this a day of the calendar that the API takes, 0001-01-01 to 9999-12-31? */
export function isDay(text) {
  const day = SHAPE.test(text) && text >= "0001" ? toDay(text) : NaN;
  return Number.isInteger(day) && toText(day) === text;
}

/** The first day of the ISO week (Monday), month or day that a day is in. */
export function periodStart(day, interval) {
  if (interval === "week") return day - weekday(day);
  if (interval === "month") return toDay(`${toText(day).slice(0, 7)}-01`);
  return day;
}

/** The first days of all periods that touch the days from first to last, in order, as texts. */
export function periods(first, last, interval) {
  const starts = [];
  for (let day = periodStart(first, interval); day <= last; day = next(day, interval)) starts.push(toText(day));
  return starts;
}

/** The shortest period of which no more than 400 make up the range: what a screen can show. */
export function fittingInterval(first, last) {
  const days = last - first + 1;
  if (days <= 400) return "day";
  return days <= 400 * 7 ? "week" : "month";
}

/** A period in words: Tue 3 Sep 2024, or the week or month of its first day. */
export function periodName(text, interval) {
  if (interval === "month") return `${MONTHS[Number(text.slice(5, 7)) - 1]} ${text.slice(0, 4)}`;
  if (interval === "week") return `Week of ${dayName(text)}`;
  return `${WEEKDAYS[weekday(toDay(text))]} ${dayName(text)}`;
}

export function dayName(text) {
  return `${shortDayName(text)} ${text.slice(0, 4)}`;
}

export function shortDayName(text) {
  return `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1]}`;
}

/** The periods to label on an axis, as [index, label]: the finest steps of the calendar of which so many fit. */
export function axisLabels(starts, limit) {
  const month = (text) => (text.slice(5, 7) === "01" ? text.slice(0, 4) : MONTHS[Number(text.slice(5, 7)) - 1]);
  const years = (count) => (text) => Math.floor(Number(text.slice(0, 4)) / count);
  const steps = [
    [(text) => text, shortDayName],
    [(text) => periodStart(toDay(text), "week"), shortDayName],
    [(text) => text.slice(0, 7), month],
    [(text) => text.slice(0, 4) + Math.ceil(Number(text.slice(5, 7)) / 3), month],
    ...[1, 2, 5, 10, 20, 50, 100].map((count) => [years(count), (text) => text.slice(0, 4)]),
  ];
  let labels = [];
  for (const [key, name] of steps) {
    const before = (index) => (index ? starts[index - 1] : toText(toDay(starts[0]) - 1));
    const begins = starts.map((_, index) => index).filter((index) => key(starts[index]) !== key(before(index)));
    if (!begins.length) return labels.length ? [labels[0]] : [];
    labels = begins.map((index) => [index, name(starts[index])]);
    if (labels.length <= limit) return labels;
  }
  return labels.slice(0, limit);
}

function weekday(day) {
  return (((day + 3) % 7) + 7) % 7; // 1970-01-01 was a Thursday
}

function next(day, interval) {
  if (interval === "month") return periodStart(day + 31, "month");
  return day + (interval === "week" ? 7 : 1);
}
