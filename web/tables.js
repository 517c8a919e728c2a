// Building what the page shows. Whatever comes from outside goes through textContent only.

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

// A state by colour, shape and word. `kind`: good, bad, warn or idle.
export function badge(word, kind) {
  return text("span", word, `badge ${kind}`);
}

// How full something is, 0 to 1: a bar with the figure beside it.
export function bar(share, label, kind) {
  const fill = element("span", { class: `fill ${kind}` });
  fill.style.width = `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
  return element("span", { class: "meter" }, element("span", { class: "track" }, fill), text("span", label));
}

// `columns`: { title, numeric?, whole? (never broken over lines), cell(row) -> Node or string }. On a narrow screen each row becomes a card, whose lines
// are named by data-label.
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
      const content = column.cell(row);
      const cell = element("td", { "data-label": column.title }, content);
      if (column.numeric) cell.className = "numeric";
      if (column.whole) cell.classList.add("whole");
      line.append(cell);
    }
    body.append(line);
  }
  return element(
    "table", { class: "cards" }, text("caption", caption, "hidden"), element("thead", {}, head), body);
}

export function nothing(sentence) {
  return text("p", sentence, "nothing");
}
