// What is inside days: the hours, routes and status codes of a customer, the routes and status codes of all. Each part is asked
// for, and fails, on its own.

import { customerPath } from "./api.js";
import { sayMissing, showDivided, USUAL_ORDER } from "./divided.js";
import { byId } from "./dom.js";
import { offerCsv } from "./downloads.js";
import { count } from "./format.js";
import { hoursPath, MOST_DAYS_OF_HOURS, refuseHours, showHours } from "./hours.js";
import { toDay } from "./periods.js";
import { routeAddress } from "./route.js";
import { showStatuses } from "./statuses.js";

const MOST_ROWS = 1_000; // of one answer
const CHEAP_DAYS = 10_000; // of single customers: a moment to add up

let owner; // the customer whose parts are in their places; null for all
let chosen = ""; // the range of all customers whose days are divided although they are many

/** Ask for the parts of a customer and show them; `page.failIn` shows what goes wrong, `page.change` is told of choices. */
export async function showBreakdown(state, range, page) {
  const { signal, change } = page;
  const isShort = toDay(range.to) - toDay(range.from) < MOST_DAYS_OF_HOURS;
  clearOthers(state.customer);
  const hours = (view) => {
    const rezone = (tz, measure) => {
      change({ tz });
      hours({ ...view, tz, measure });
    };
    const showPart = (place) => (isShort ? showHours(place, view, range, { signal, rezone, change }) : refuseHours(place, range));
    return part("hours", view, range, page, showPart, hoursPath(view, range));
  };
  byId("hours-choices").hidden = !isShort;
  await Promise.all([hours(state), showRoutesAndStatuses(state, range, page)]);
}

/** Ask for the routes and status codes of all customers; where they have many days in the range, only if a button says so. */
export async function showBreakdownOfAll(state, range, days, page) {
  const key = `${range.from} ${range.to}`;
  const isAsked = days <= CHEAP_DAYS || chosen === key;
  clearOthers(null);
  byId("inside").hidden = days === 0;
  byId("divided").hidden = !isAsked;
  byId("inside-question").hidden = isAsked;
  byId("inside-days").textContent = `The customers have ${count(days)} days of statistics in this range, which take some seconds to add up.`;
  byId("divide").onclick = () => {
    chosen = key;
    byId("inside-question").hidden = true;
    showRoutesAndStatuses(state, range, page);
  };
  if (isAsked && days) await showRoutesAndStatuses(state, range, page);
}

async function showRoutesAndStatuses(state, range, page) {
  const { signal, change } = page;
  const { customer } = state;
  const routesCsv = (sort) => customerPath(customer, "routes", { ...range, sort, limit: MOST_ROWS });
  const reorder = (order) => {
    change({ order });
    offer("routes", state, range, page, routesCsv(order));
  };
  byId("inside").hidden = byId("divided").hidden = false;
  byId("inside-question").hidden = true;
  await Promise.all([
    part("routes", state, range, page, (place, failed) => showDivided(place, routesOf(state, range), { signal, failed, reorder }), routesCsv(state.order ?? USUAL_ORDER)),
    part("statuses", state, range, page, (place) => showStatuses(place, customer, range, signal), customerPath(customer, "statuses", range)),
  ]);
}

/** Show a part in its place, how many days it lacks, and the button that saves the CSV of a path. */
async function part(name, state, range, page, showPart, path) {
  const place = byId(name);
  const failed = (error) => page.failIn(place, error);
  byId(`${name}-missing`).hidden = true;
  place.setAttribute("aria-busy", "true");
  try {
    sayMissing(name, await showPart(place, failed));
    offer(name, state, range, page, path);
  } catch (error) {
    if (!page.signal.aborted) byId(`${name}-csv`).hidden = true;
    failed(error);
  }
  if (!page.signal.aborted) place.removeAttribute("aria-busy");
}

function offer(name, { customer }, { from, to }, page, path) {
  offerCsv(name, path, `${customer ?? "all"}_${name}_${from}_${to}`, page.failIn);
}

/** Empty the parts that are another customer's, or all customers'. */
function clearOthers(customer) {
  if (owner === customer) return;
  owner = customer;
  for (const name of ["hours", "routes", "statuses"]) {
    byId(name).replaceChildren();
    byId(`${name}-csv`).hidden = true;
  }
}

function routesOf(state, range) {
  return {
    path: (query) => customerPath(state.customer, "routes", { ...range, ...query }),
    ...{ field: "route", name: "Route", label: "Table of routes", order: state.order ?? USUAL_ORDER },
    nothing: "No request of the range is divided by route.",
    link: (route) => routeAddress(route, state, range),
  };
}
