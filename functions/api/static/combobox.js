// The customer search: a combobox with a list, as in the ARIA Authoring Practices.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

import { askJson } from "./api.js";
import { h } from "./dom.js";
import { count } from "./format.js";

const WAIT_MS = 120;
const SHOWN = 8;

/** Let a text field complete customers; `choose(customer)` is told which one it is to be. */
export function completeCustomers(input, list, hint, choose) {
  let [timer, asking, active] = [0, new AbortController(), -1];

  const close = () => {
    clearTimeout(timer);
    asking.abort();
    active = -1;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const pick = (customer) => {
    if (!customer) return;
    close();
    input.value = customer;
    choose(customer);
  };
  const option = ({ customer_id: id, total_requests: total }, index) =>
    h(
      "li",
      { id: `suggestion-${index}`, role: "option", "aria-selected": "false", "data-customer": id, onmousedown: (event) => event.preventDefault(), onclick: () => pick(id) },
      h("bdi", {}, id),
      h("small", {}, count(total)),
    );
  const suggest = async () => {
    asking.abort();
    asking = new AbortController();
    try {
      const query = new URLSearchParams({ prefix: input.value, limit: SHOWN });
      const { customers } = await askJson(`customers?${query}`, asking.signal);
      close();
      hint.textContent = customers.length ? "" : "No customer's name starts like this.";
      list.replaceChildren(...customers.map(option));
      list.hidden = !customers.length;
      input.setAttribute("aria-expanded", String(!list.hidden));
    } catch (error) {
      if (error.name === "AbortError") return;
      close();
      hint.textContent = error.status === 403 ? "Type the whole name, and press Enter." : error.message;
    }
  };
  const move = (step) => {
    const options = [...list.children];
    if (!options.length || list.hidden) return void suggest();
    active = (active + step + options.length) % options.length;
    options.forEach((one, index) => one.setAttribute("aria-selected", String(index === active)));
    options[active].scrollIntoView({ block: "nearest" });
    return input.setAttribute("aria-activedescendant", options[active].id);
  };
  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(active < 0 ? 0 : -1),
    Enter: () => pick(active < 0 ? input.value : list.children[active].dataset.customer),
    Escape: close,
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, WAIT_MS);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.isComposing) return;
    event.preventDefault();
    keys[event.key]();
  });
}
