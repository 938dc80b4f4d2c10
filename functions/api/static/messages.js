// What went wrong, and what to do about it.

import { hasToken, useToken } from "./api.js";
import { h, show } from "./dom.js";

const countdowns = []; // what stops them

/** Show an error where its content would have been; `again` asks once more. That somebody has stopped asking is none. */
export function showFailure(place, error, again) {
  if (error.name !== "AbortError") countdowns.push(showError(place, error, again));
}

/** Let no error ask once more by itself. */
export function stopCountdowns() {
  for (const stop of countdowns.splice(0)) stop();
}

/** Show an error. Returns what stops its countdown. */
function showError(place, error, again) {
  const retry = h("button", { type: "button", onclick: () => again() }, "Try again");
  const id = error.requestId ? [h("p", { class: "hint" }, `Request ${error.requestId}`)] : [];
  const alert = (title, ...rest) => {
    place.setAttribute("role", "alert");
    show(place, h("h2", {}, title), ...rest, ...id);
  };
  const text = (words) => h("p", {}, words);
  let timer = 0;
  if (error.status === 0) {
    const start = h("p", {}, "Start it with ", h("code", {}, "logstats serve"), " or ", h("code", {}, "logstats up"), ", or look at your connection.");
    alert("The API does not answer", start, retry);
  } else if (error.status === 401 && !error.signed) {
    alert(hasToken() ? "The token is not accepted" : "This API asks for a token", ...askForToken(error, again));
  } else if (error.status === 403 && error.fromApi) {
    alert("Not allowed", text(error.message), ...askForToken(error, again));
  } else if (error.status === 401 || error.status === 403) {
    alert("This page cannot sign in here", text(`${error.message.replace(/\.?$/, ".")} ${SIGNED}`), retry);
  } else if (error.status === 503) {
    const wait = text("");
    timer = countDown(error.retryAfter ?? 10, wait, again);
    alert("The database is not available yet", text("It may be waking up from a pause."), wait, retry);
  } else {
    const title = error.status === 422 ? "The API cannot answer this" : "Something went wrong";
    alert(title, text(error.message), retry);
  }
  return () => clearInterval(timer);
}

const SIGNED =
  "Where the API takes requests signed with AWS credentials (IAM), a page cannot make them: " +
  "use curl --aws-sigv4, or let the deployment take tokens (\"auth\": \"jwt\" in cdk.json), and give the page one.";

function askForToken(error, again) {
  const input = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const submit = (event) => {
    event.preventDefault();
    useToken(input.value.trim().replace(/^Bearer\s+/i, ""));
    again();
  };
  return [
    h("p", {}, "It is kept in this page's memory only, and gone when you close or reload the page. ", h("span", { class: "hint" }, SIGNED)),
    h("form", { class: "token", onsubmit: submit }, h("label", { for: "token" }, "Token"), input, h("button", {}, "Use this token")),
  ];
}

function countDown(seconds, place, again) {
  let left = seconds + 1;
  const tick = () => {
    left -= 1;
    place.textContent = `The page asks again in ${left} s.`;
    if (left > 0) return;
    clearInterval(timer);
    again();
  };
  const timer = setInterval(tick, 1000);
  tick();
  return timer;
}
