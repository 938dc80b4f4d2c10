// Files to save: the API's own CSV. It is fetched, since a link could not carry the token.

import { ask } from "./api.js";
import { byId, h } from "./dom.js";

const KEPT_MS = 60_000;
const failure = h("div", { class: "part" }); // of the last download

/** Let the button of a part save the CSV of a path; `failIn(place, error, again)` is told what goes wrong, below the button. */
export function offerCsv(part, path, name, failIn) {
  const button = byId(`${part}-csv`);
  button.hidden = false;
  failure.remove();
  button.onclick = async () => {
    failure.remove();
    try {
      save(await csvOf(path), name);
    } catch (error) {
      button.closest(".head").after(failure);
      failIn(failure, error, button.onclick);
    }
  };
}

/** The pieces of a CSV document: the answer, and those that it says come next, without their headers. */
async function csvOf(path) {
  const pieces = [];
  for (let next = `${path}&format=csv`; next; ) {
    const answer = await ask(next);
    const text = await answer.text();
    pieces.push(pieces.length ? text.slice(text.indexOf("\n") + 1) : text);
    const [, link] = answer.headers.get("link")?.match(/^<(.+)>; rel="next"$/) ?? [];
    next = link && new URL(link, answer.url);
  }
  return pieces;
}

function save(pieces, name) {
  const address = URL.createObjectURL(new Blob(pieces, { type: "text/csv" }));
  h("a", { href: address, download: `${name}.csv`.replace(/[^\p{L}\p{N}._-]+/gu, "_") }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
}
