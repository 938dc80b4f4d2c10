// All customers: the front, or one route over all of them.

import { showControls } from "./controls.js";
import { byId, show } from "./dom.js";
import { lastDay, showFront } from "./front.js";
import { showEmpty } from "./lists.js";
import { showRoute } from "./route.js";
import { wayToAll } from "./way.js";

/** Ask for what the state says of all customers and show it. Returns words for the status, what redraws it, and what asks for more. */
export async function showAll(state, page) {
  if (byId("front").hidden) byId("inside").hidden = true; // it is a customer's
  for (const id of ["report", "by-route", "way", "message-here"]) byId(id).hidden = true;
  document.title = "logstats";
  byId("search").value = "";
  const last = state.to ?? (await lastDay(page.signal));
  const isFront = state.route === null && last !== null;
  byId("view").hidden = last === null;
  byId("welcome").hidden = last !== null;
  byId("front").hidden = !isFront;
  if (!isFront) byId("inside").hidden = byId("ledger").hidden = true;
  if (last === null) return { words: showEmpty(byId("welcome")) };
  byId("heading").textContent = state.route ?? "All customers";
  const range = { from: state.from ?? last, to: last };
  showControls(state, range, { first: null, last });
  if (isFront) return showFront(state, range, page);
  show(byId("way"), wayToAll(state));
  return showRoute(state, range, page);
}
