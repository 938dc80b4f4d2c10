// What is inside the days of a customer: hours, routes, status codes. Each part is asked for, and fails, on its own.

import { customerPath } from "./api.js";
import { sayMissing, showDivided, USUAL_ORDER } from "./divided.js";
import { byId } from "./dom.js";
import { MOST_DAYS_OF_HOURS, refuseHours, showHours } from "./hours.js";
import { toDay } from "./periods.js";
import { routeAddress } from "./route.js";
import { showStatuses } from "./statuses.js";

let customerShown = null; // whose parts are in their places

/** Ask for the parts and show them; `failed(place, error)` shows what goes wrong, `change` is told of choices. */
export async function showBreakdown(state, { from, to }, { signal, failed, change }) {
  const range = { from, to };
  const part = async (name, showPart) => {
    const place = byId(name);
    const failedHere = (error) => failed(place, error);
    byId(`${name}-missing`).hidden = true;
    if (customerShown !== state.customer) place.replaceChildren(); // these are another one's
    place.setAttribute("aria-busy", "true");
    try {
      sayMissing(name, await showPart(place, failedHere));
    } catch (error) {
      failedHere(error);
    }
    if (!signal.aborted) place.removeAttribute("aria-busy");
  };
  const isShort = toDay(range.to) - toDay(range.from) < MOST_DAYS_OF_HOURS;
  const hours = (chosen) => {
    const rezone = (tz, measure) => {
      change({ tz });
      hours({ ...chosen, tz, measure });
    };
    return part("hours", (place) => showHours(place, chosen, range, { signal, rezone, change }));
  };
  byId("hours-choices").hidden = !isShort;
  const parts = [
    isShort ? hours(state) : part("hours", (place) => refuseHours(place, range)),
    part("routes", (place, failedHere) => showDivided(place, routesOf(state, range), { signal, failed: failedHere, reorder: (order) => change({ order }) })),
    part("statuses", (place) => showStatuses(place, state.customer, range, signal)),
  ];
  customerShown = state.customer;
  await Promise.all(parts);
}

function routesOf(state, range) {
  return {
    path: (query) => customerPath(state.customer, "routes", { ...range, ...query }),
    ...{ field: "route", name: "Route", label: "Table of routes", order: state.order ?? USUAL_ORDER },
    nothing: "No request of the range is divided by route.",
    link: (route) => routeAddress(route, state, range),
  };
}
