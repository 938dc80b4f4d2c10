// What the page shows is what its address says, so that a view can be shared. A token is never part of it.

import { isDay } from "./periods.js";
import { readObjective } from "./objective.js";

const INTERVALS = ["day", "week", "month"];
const MEASURES = ["total_requests", "server_errors", "client_errors", "duration_p99"];
const SORT = /^-?[a-z0-9_]+$/;
const ZONE = /^[A-Za-z0-9_+/-]+$/;
export const OBJECTIVE = 99.9;

/** Read an address's query; what is missing or not understood is null, or the usual. */
export function readState(search) {
  const query = new URLSearchParams(search);
  const one = (name, accepts) => (accepts(query.get(name) ?? "") ? query.get(name) : null);
  return {
    customer: one("customer", (text) => text !== ""),
    from: one("from", isDay),
    to: one("to", isDay),
    sort: one("sort", (text) => SORT.test(text)),
    prefix: one("prefix", (text) => text !== ""),
    interval: one("interval", (text) => INTERVALS.includes(text)),
    route: one("route", (text) => text !== ""),
    order: one("order", (text) => SORT.test(text)),
    tz: one("tz", (text) => ZONE.test(text) && text !== "UTC"),
    measure: one("measure", (text) => MEASURES.includes(text)) ?? MEASURES[0],
    log: query.get("scale") === "log",
    objective: readObjective(query.get("objective") ?? "") ?? OBJECTIVE,
  };
}

/** Write a query that reads as the same state; the usual is left out. */
export function writeState(state) {
  const query = new URLSearchParams();
  for (const name of ["customer", "from", "to", "sort", "prefix", "interval", "route", "order", "tz"]) {
    if (state[name] !== null) query.set(name, state[name]);
  }
  if (state.measure !== MEASURES[0]) query.set("measure", state.measure);
  if (state.log) query.set("scale", "log");
  if (state.objective !== OBJECTIVE) query.set("objective", state.objective);
  const text = query.toString();
  return text ? `?${text}` : "";
}
