// Building what the page shows. Whatever comes from outside goes through textContent and attributes only.

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function text(name, content, className = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = content;
  return node;
}

export function link(address, content, className = "") {
  const node = text("a", content, className);
  node.href = address;
  return node;
}

export function button(label, action, className = "") {
  const node = text("button", label, className);
  node.type = "button";
  node.addEventListener("click", action);
  return node;
}

export function section(title, ...children) {
  return element("section", {}, text("h2", title), ...children);
}

export function nothing(sentence) {
  return text("p", sentence, "nothing");
}

const STATE_KINDS = {
  up: "good", sent: "good", resolved: "good", active: "good",
  firing: "bad", down: "bad", dead: "bad", hung: "bad", absent: "bad", failed: "bad", failing: "bad", dropped: "bad",
  pending: "warn", stopping: "warn", waiting: "warn",
};

// A state by colour, shape and word.
export function badge(word, kind = STATE_KINDS[word] ?? "idle") {
  return text("span", word, `badge ${kind}`);
}

// Labels and matchers: [name, sign, value].
export function chips(pairs) {
  const list = element("span", { class: "chips" });
  for (const [name, sign, value] of pairs) list.append(text("code", `${name}${sign}${value}`));
  return list;
}

// How full something is, 0 to 1: a bar with the figure beside it.
export function bar(share, label) {
  const kind = share >= 0.95 ? "bad" : share >= 0.85 ? "warn" : "";
  const fill = element("span", { class: `fill ${kind}` });
  fill.style.width = `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
  return element("span", { class: "meter" }, element("span", { class: "track" }, fill), text("span", label));
}

// `columns`: { title, numeric?, class?, cell(row) -> Node or string }. On a narrow screen each row becomes a card, whose
// lines are named by data-label.
export function table(columns, rows, caption) {
  const head = element("tr");
  for (const column of columns) {
    const cell = text("th", column.title, column.numeric ? "numeric" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    for (const column of columns) {
      const cell = element("td", { "data-label": column.title }, column.cell(row));
      if (column.numeric) cell.classList.add("numeric");
      if (column.class) cell.classList.add(column.class);
      line.append(cell);
    }
    body.append(line);
  }
  return element(
    "table", { class: "cards" }, text("caption", caption, "hidden"), element("thead", {}, head), body);
}

// Puts `children` into `place`, unless somebody there is busy: what is focused or opened would be lost.
export function show(place, ...children) {
  const before = [...place.childNodes];
  const same = (child, at) => child instanceof Node && before[at].isEqualNode(child);
  if (before.length === children.length && children.every(same)) return; // What is selected there stays so, too.
  const open = [...place.querySelectorAll("details[open][data-key]")].map((node) => node.dataset.key);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  place.replaceChildren(...children);
  for (const node of place.querySelectorAll("[data-key]")) {
    if (node.tagName === "DETAILS" && open.includes(node.dataset.key)) node.open = true;
    if (focused !== undefined && node.dataset.key === focused) node.focus();
  }
}
