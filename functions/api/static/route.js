// One route over all customers: the customers that have requests to it.

import { sayMissing, showDivided, USUAL_ORDER } from "./divided.js";
import { byId } from "./dom.js";
import { dayName } from "./periods.js";
import { customerAddress } from "./ranking.js";
import { writeState } from "./state.js";

/** The address of a route over all customers, on the same range. */
export function routeAddress(route, state, { from, to }) {
  return writeState({ ...state, customer: null, interval: null, order: null, route, from, to });
}

/** Ask for the customers of a route and show them. Returns as `showAll` does. */
export async function showRoute(state, range, { signal, failIn, change }) {
  document.title = `\u2068${state.route}\u2069 · logstats`;
  byId("range").textContent = `${dayName(range.from)} – ${dayName(range.to)}, UTC`;
  const part = {
    path: (query) => `routes/customers?${new URLSearchParams({ ...range, route: state.route, ...query })}`,
    ...{ field: "customer_id", name: "Customer", label: "Table of customers with this route", order: state.order ?? USUAL_ORDER },
    nothing: "No customer has requests to this route in this range.",
    link: (customer) => customerAddress(customer, state, range),
  };
  const place = byId("callers");
  sayMissing("callers", await showDivided(place, part, { signal, failed: (error) => failIn(place, error), reorder: (order) => change({ order }) }));
  byId("by-route").hidden = false;
  return { words: "" };
}
