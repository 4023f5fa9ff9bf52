// Filters, next and previous. Without it the page is complete: samples open by themselves.
"use strict";
for (const box of document.querySelectorAll(".samples")) {
  const items = [...box.querySelectorAll("details.item")];
  const tools = box.querySelector(".tools");
  const count = box.querySelector(".count");
  const shown = () => items.filter((item) => !item.hidden);
  tools.hidden = false;

  const filter = () => {
    const on = [...tools.querySelectorAll("button[aria-pressed=true]")].map((b) => b.value);
    for (const item of items) {
      const flags = item.dataset.flags.split("\n");
      item.hidden = !on.every((flag) => flags.includes(flag));
    }
    count.textContent = shown().length + " shown";
  };

  const go = (step) => {
    const list = shown();
    if (!list.length) return;
    const last = list.findLastIndex((item) => item.open);
    const next = last < 0 ? (step > 0 ? 0 : list.length - 1) : last + step;
    const item = list[Math.max(0, Math.min(list.length - 1, next))];
    for (const other of list) other.open = other === item;
    item.querySelector("summary").focus({ preventScroll: true });
    item.scrollIntoView({ block: "start" });
  };

  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.go) return go(Number(button.dataset.go));
    button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
    filter();
  });

  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j" || event.key === "n") go(1);
    else if (event.key === "k" || event.key === "p") go(-1);
    else return;
    event.preventDefault();
  });
  filter();
}
