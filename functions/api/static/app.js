// The page: what its address says is asked of the API and shown.

import { hasToken, isUnaskable, statsPath, useToken } from "./api.js";
import { showBreakdown } from "./breakdown.js";
import { completeCustomers } from "./combobox.js";
import { downloadCsv, listen, showControls, tableQuery } from "./controls.js";
import { byId, h, show } from "./dom.js";
import { plural } from "./format.js";
import { drawFront, lastDay, showFront } from "./front.js";
import { showEmpty, showIngestions } from "./lists.js";
import { showError } from "./messages.js";
import { dayName } from "./periods.js";
import { customerAddress, neighbours } from "./ranking.js";
import { askBounds, askReport, drawCharts, drawReport, rangeOf } from "./report.js";
import { showRoute } from "./route.js";
import { readState, writeState } from "./state.js";

const SLOW_MS = 150; // an answer that comes sooner needs no word about waiting

let state = readState(location.search);
let report = null; // what is drawn of a customer
let front = null; // what is drawn of all
let bounds = null;
let asking = new AbortController();
const countdowns = []; // what stops them

/** Ask for what the state says, and show it. */
async function load() {
  asking.abort();
  for (const stop of countdowns.splice(0)) stop();
  asking = new AbortController();
  const { signal } = asking;
  const waiting = setTimeout(() => tell("Loading …"), SLOW_MS);
  document.body.setAttribute("aria-busy", "true");
  const failed = (error) => {
    if (error.name !== "AbortError") tell("");
    failIn(byId("message"), error);
  };
  try {
    const done = await (state.customer === null ? all(signal, failed) : showReport(signal, failed));
    clearTimeout(waiting);
    tell(done);
    byId("message").hidden = true;
    await Promise.all([report && showBreakdown(state, report, { signal, failed: failIn, change }), ingestions(signal)]);
  } catch (error) {
    if (!signal.aborted) byId(state.customer !== null ? "numbers" : state.route !== null ? "by-route" : "front").hidden = true;
    if (!(error instanceof Error)) throw error;
    failed(error);
  } finally {
    clearTimeout(waiting);
    if (!signal.aborted) document.body.removeAttribute("aria-busy");
  }
  byId("forget-token").hidden = !hasToken();
}

async function all(signal, failed) {
  byId("report").hidden = byId("by-route").hidden = byId("way").hidden = byId("message-here").hidden = true;
  report = null;
  document.title = "logstats";
  byId("search").value = "";
  const last = state.to ?? (await lastDay(signal));
  const isRoute = state.route !== null;
  byId("view").hidden = last === null;
  byId("front").hidden = isRoute || last === null;
  byId("welcome").hidden = last !== null;
  if (last === null) return showEmpty(byId("welcome"));
  byId("heading").textContent = state.route ?? "All customers";
  const range = { from: state.from ?? last, to: last };
  bounds = { first: null, last };
  showControls(state, range, bounds);
  if (isRoute) {
    front = null;
    byId("ledger").hidden = true;
    show(byId("way"), wayToAll());
    return showRoute(state, range, { signal, failed, change });
  }
  const { drawn, words } = await showFront(state, range, { signal, failed, resort: (sort) => change({ sort }) });
  front = drawn;
  return words;
}

function wayToAll() {
  return h("a", { href: writeState({ ...state, customer: null, route: null, order: null, interval: null }) || "./" }, "All customers");
}

/** The way back to the list, and to the customers before and after this one in it. */
async function showWay(range, signal) {
  const way = byId("way");
  const link = (customer, rel, text) => h("a", { href: customerAddress(customer, state, range), rel }, text, h("bdi", {}, customer));
  show(way, wayToAll());
  if (state.sort === null) return;
  const [before, after] = await neighbours(state, range, signal);
  way.append(...(before ? [link(before, "prev", "Previous: ")] : []), ...(after ? [link(after, "next", "Next: ")] : []));
}

async function showReport(signal, failed) {
  byId("welcome").hidden = byId("front").hidden = byId("by-route").hidden = true;
  front = null;
  byId("ledger").hidden = true;
  byId("heading").textContent = state.customer;
  document.title = `\u2068${state.customer}\u2069 · logstats`; // isolated: a name's direction is its own
  byId("search").value = state.customer;
  byId("view").hidden = byId("report").hidden = false;
  if (isUnaskable(state.customer)) return nothing("A browser cannot ask for this name: it takes it for a folder. Use “logstats stats”.");
  const known = askBounds(state.customer, signal);
  if (state.from === null || state.to === null) bounds = await known;
  if (bounds === null && (state.from ?? state.to) === null) {
    if ((await known) === null) return nothing("No log line names this customer. Upper and lower case matter.");
  }
  const range = rangeOf(state, bounds ?? { last: state.to ?? state.from });
  const [answered, found] = await Promise.all([askReport(state, range, signal), known]);
  bounds = found;
  showControls(state, range, bounds);
  showWay(range, signal).catch((error) => error.status === 403 || failed(error)); // a token for one customer has no list
  report = answered;
  if (!report.total) return nothing(bounds ? `No requests in this range. There are some from ${dayName(bounds.first)} to ${dayName(bounds.last)}.` : "No log line names this customer. Upper and lower case matter.");
  byId("message-here").hidden = true;
  byId("numbers").hidden = false;
  byId("request").textContent = `GET ${statsPath(state.customer, tableQuery(report))}`;
  drawReport(report, state);
  performance.mark("report");
  return `${plural(report.total.total_requests, "request")} on ${plural(report.all.length, report.interval)} of ${report.starts.length}`;
}

function nothing(words) {
  report = null;
  byId("numbers").hidden = true;
  const text = document.createElement("p");
  text.textContent = words;
  show(byId("message-here"), text);
  return words;
}

/** Show an error where its content would have been. */
function failIn(place, error) {
  if (error.name !== "AbortError") countdowns.push(showError(place, error, load));
}

async function ingestions(signal) {
  byId("files").hidden = false;
  const place = byId("ingestions");
  const failed = (error) => failIn(place, error);
  try {
    await showIngestions(place, signal, failed);
  } catch (error) {
    if (error.status === 403) place.textContent = "Your token is for one customer; it may not list files.";
    else failed(error);
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
  else if (report) drawCharts(report, state);
}

completeCustomers(byId("search"), byId("suggestions"), byId("search-hint"), (customer) =>
  change(customer === state.customer ? {} : { customer, from: null, to: null }),
);
listen(change, () => bounds);
byId("csv").addEventListener("click", () => downloadCsv(state.customer, report).catch((error) => showError(byId("message"), error, load)));
byId("forget-token").addEventListener("click", () => {
  useToken("");
  load();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const address = link?.getAttribute("href");
  const isOurs = address === "./" || address?.startsWith("?");
  if (!isOurs || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault(); // what has been loaded stays
  state = readState(address === "./" ? "" : address);
  bounds = null;
  history.pushState(null, "", address === "./" ? location.pathname : address);
  scrollTo(0, 0);
  byId("main").focus({ preventScroll: true });
  load();
});
addEventListener("popstate", () => {
  state = readState(location.search);
  load();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width && report) drawCharts(report, state);
  if (innerWidth !== width && front) drawFront(front);
  width = innerWidth;
});
load();
