// The page: what its address says is asked of the API and shown.

import { showAll } from "./all.js";
import { hasToken, useToken } from "./api.js";
import { completeCustomers } from "./combobox.js";
import { listen } from "./controls.js";
import { showCustomer } from "./customer.js";
import { byId } from "./dom.js";
import { showIngestions } from "./lists.js";
import { showFailure, stopCountdowns } from "./messages.js";
import { readState, writeState } from "./state.js";

const SLOW_MS = 150; // an answer that comes sooner needs no word about waiting

let state = readState(location.search);
let shown = null; // what redraws it
let asking = new AbortController();

/** Ask for what the state says, and show it. */
async function load() {
  asking.abort();
  stopCountdowns();
  asking = new AbortController();
  const [asked, { signal }] = [state, asking];
  const waiting = setTimeout(() => tell("Loading …"), SLOW_MS);
  document.body.setAttribute("aria-busy", "true");
  const page = {
    ...{ signal, change },
    /** Show an error where its content would have been. */
    failIn: (place, error, again = load) => showFailure(place, error, again),
    /** Show an error of the whole page. */
    failed: (error) => {
      if (error.name !== "AbortError") tell("");
      showFailure(byId("message"), error, load);
    },
  };
  try {
    shown = await (asked.customer === null ? showAll(asked, page) : showCustomer(asked, page));
    clearTimeout(waiting);
    tell(shown.words);
    if (asked !== state) shown.redraw?.(state); // chosen while it was asked for
    byId("message").hidden = true;
    await Promise.all([shown.more?.(), ingestions(page)]);
  } catch (error) {
    const view = asked.customer !== null ? "numbers" : asked.route !== null ? "by-route" : "front";
    if (!signal.aborted) byId(view).hidden = byId("inside").hidden = true;
    if (!(error instanceof Error)) throw error;
    page.failed(error);
  } finally {
    clearTimeout(waiting);
    if (!signal.aborted) document.body.removeAttribute("aria-busy");
  }
  byId("forget-token").hidden = !hasToken();
}

async function ingestions(page) {
  byId("files").hidden = false;
  const place = byId("ingestions");
  const failedHere = (error) => page.failIn(place, error);
  try {
    await showIngestions(place, page.signal, failedHere);
  } catch (error) {
    if (error.status === 403) place.textContent = "Your token is for one customer; it may not list files.";
    else failedHere(error);
  }
}

function tell(words) {
  byId("status").textContent = words;
}

/** Change the state and the address; ask again only if other numbers are needed. */
function change(part) {
  const next = { ...state, ...part };
  const address = writeState(next) || location.pathname;
  if (next.customer !== state.customer) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  const redraw = ["customer", "route", "from", "to", "interval", "sort", "prefix"].every((name) => next[name] === state[name]);
  state = next;
  if (!redraw) load();
  else shown?.redraw?.(state);
}

/** Follow a link to another view without loading the page anew: what has been loaded stays. */
function follow(event) {
  const link = event.target.closest("a[href]");
  const address = link?.getAttribute("href");
  const isOurs = address === "./" || address?.startsWith("?");
  if (!isOurs || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  state = readState(address === "./" ? "" : address);
  history.pushState(null, "", address === "./" ? location.pathname : address);
  scrollTo(0, 0);
  byId("main").focus({ preventScroll: true });
  load();
}

completeCustomers(byId("search"), byId("suggestions"), byId("search-hint"), (customer) =>
  change(customer === state.customer ? {} : { customer, from: null, to: null }),
);
listen(change);
byId("forget-token").addEventListener("click", () => {
  useToken("");
  load();
});
document.addEventListener("click", follow);
addEventListener("popstate", () => {
  state = readState(location.search);
  load();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) shown?.redraw?.(state);
  width = innerWidth;
});
load();
