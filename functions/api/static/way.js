// The way back to the list of customers, and to those before and after one in it.

import { byId, h, show } from "./dom.js";
import { askRanking, customerAddress } from "./ranking.js";
import { writeState } from "./state.js";

const KNOWN = 250;

let listed = { of: "", ids: [] };

/** The link to all customers on the range of the state. */
export function wayToAll(state) {
  return h("a", { href: writeState({ ...state, customer: null, route: null, order: null, interval: null }) || "./" }, "All customers");
}

/** Show the way back to the list, and to the customers before and after this one in it. */
export async function showWay(state, range, signal) {
  const way = byId("way");
  const link = (customer, rel, text) => h("a", { href: customerAddress(customer, state, range), rel }, text, h("bdi", {}, customer));
  show(way, wayToAll(state));
  if (state.sort === null) return;
  const [before, after] = await neighbours(state, range, signal);
  way.append(...(before ? [link(before, "prev", "Previous: ")] : []), ...(after ? [link(after, "next", "Next: ")] : []));
}

/** The customers before and after one in the list that it was chosen from, as far as it is looked into. */
async function neighbours(state, range, signal) {
  const of = JSON.stringify([range.from, range.to, state.sort, state.prefix]);
  if (listed.of !== of || !listed.ids.includes(state.customer)) {
    const { customers } = await askRanking(state, range, { limit: KNOWN }, signal);
    listed = { of, ids: customers.map((row) => row.customer_id) };
  }
  const place = listed.ids.indexOf(state.customer);
  return place < 0 ? [] : [listed.ids[place - 1], listed.ids[place + 1]];
}
