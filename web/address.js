// The state of the page is its address: #/host/127.0.0.1%3A9100?range=6h

export function readAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [page, name = ""] = path.split("/", 2);
  return { page: page || "overview", name: decode(name), params: new URLSearchParams(query) };
}

function decode(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

export function addressOf(page, name = "", params = {}) {
  const query = new URLSearchParams(params).toString();
  const path = name === "" ? page : `${page}/${encodeURIComponent(name)}`;
  return `#/${path}${query === "" ? "" : `?${query}`}`;
}

// Sets parameters of the address (null takes one away), as a step that the browser's back button undoes; with
// `replace` in place of the present one.
export function setParams(changes, { replace = false } = {}) {
  const { page, name, params } = readAddress();
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(key);
    else params.set(key, value);
  }
  const address = addressOf(page, name, params);
  if (replace) history.replaceState(null, "", address);
  else location.hash = address;
}
